// differential DRIVER SEEDS QUERIES [FIRST SEED]: random tables and questions over the whole dialect, asked of the
// warehouse and of SQLite and DuckDB. A question answered differently is shrunk to the smallest that still is, and
// printed with the seed that made it. Questions that one side refuses or that fail are counted, not compared.
import { Seam, Sqlite, Duck, escape, scratch } from './lib.mjs';

const [driver, seeds, queries, first] = process.argv.slice(2);
const firstSeed = first ? Number(first) : Math.floor(Date.now() % 1e9);

// ---- chance ----
let state = 1;
const next = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return (t ^ (t >>> 14)) >>> 0;
};
const below = (n) => next() % n;
const pick = (list) => list[below(list.length)];
const chance = (n) => below(n) === 0;

// ---- tables: { name, columns: [{ name, type, scale }], rows } ----
const WORDS = ['', 'a', 'ab', 'Ab', 'abc', 'cancelled', 'cancelled by us', 'zz', 'é', 'Éa', 'ñandú', '日本', '😀😀', "it's", '100%', 'a_b', ' x '];
const TYPES = ['int', 'int', 'double', 'decimal', 'bool', 'time', 'text', 'text'];

const randomValue = (c, i, plain) => {
  switch (c.type) {
    case 'int':
      if (c.style === 0) return String(i);
      if (c.style === 1) return String(below(7) - 2);
      if (c.style === 2) return '5';
      if (chance(9) && !plain) return pick(['9223372036854775807', '-9223372036854775808', '9007199254740993', '-1']);
      return String(below(2000000) - 1000000);
    case 'double':
      if (!plain && chance(12)) return pick(['NaN', 'inf', '-inf']);
      return chance(8) ? pick(['0', '-0.0', '1e300', '-2.5', '0.1']) : String((below(20001) - 10000) / (c.style === 1 ? 100 : 7));
    case 'decimal': {
      const v = String(below(c.style === 1 ? 50 : 2000000)).padStart(c.scale + 1, '0');
      const at = v.length - c.scale;
      return (chance(3) ? '-' : '') + (c.scale === 0 ? v : v.slice(0, at) + '.' + v.slice(at));
    }
    case 'bool': return c.style === 2 ? 'true' : pick(['true', 'false']);
    case 'time': { // the years 1 to 9999, or days of one year
      if (c.style === 1) return String((1700000000 + below(300) * 86400) * 1000000);
      return String(BigInt(-62135596800) * 1000000n + BigInt(below(315537897)) * 1000000000n + BigInt(below(1000000)));
    }
    default: return c.style === 1 ? pick(WORDS).slice(0, 2) : pick(WORDS) + (chance(2) ? '' : String(below(30)));
  }
};

const randomTable = (name, rows, plain) => {
  const columns = [{ name: 'k', type: 'int', style: 0 }];
  for (let i = 0, n = 3 + below(5); i < n; i++) {
    const type = pick(TYPES);
    columns.push({ name: type[0] + i, type, scale: type === 'decimal' ? pick([0, 1, 2, 4, 6]) : 0, style: below(4), nulls: pick([0, 3, 10]) });
  }
  for (const type of ['int', 'text']) columns.push({ name: type[0] + 'x', type, scale: 0, style: 1, nulls: 8 });
  const t = { name, columns, rows: new Map(), n: 0 };
  for (let i = 0; i < rows; i++) t.rows.set(i, randomRow(t, i, plain));
  return t;
};
const randomRow = (t, k, plain) =>
  t.columns.map((c) => (c.nulls && chance(c.nulls) ? null : c.name === 'k' ? String(k) : randomValue(c, k, plain)));

const SEAM_TYPES = { int: 'int64', double: 'double', decimal: 'decimal', bool: 'bool', time: 'timestamp', text: 'text' };
const seamJson = (t) => JSON.stringify({ table: t.name, version: 1, key: ['k'],
  columns: t.columns.map((c) => ({ name: c.name, type: SEAM_TYPES[c.type], ...(c.type === 'decimal' ? { scale: c.scale } : {}), ...(c.name === 'k' ? {} : { nullable: true }) })) });

// Journal, tail and files, each row perhaps changed and some ended.
const loadSeam = async (seam, tables, dir, plain) => {
  await seam.must(`open ${dir} ${pick([1, 50, 700, 100000])}`);
  for (const t of tables) await seam.must('table ' + seamJson(t));
  let lsn = 0;
  const put = (t, rows) => seam.must([`put ${t.name} ${++lsn} ${rows.length}`, ...rows.map((r) => r.map((v) => (v === null ? '\\N' : escape(v))).join('\t'))].join('\n'));
  for (const t of tables) {
    const all = [...t.rows.values()];
    for (let at = 0; at < all.length;) {
      const n = 1 + below(Math.max(1, Math.floor(all.length / pick([1, 2, 5]))));
      await put(t, all.slice(at, at + n));
      await seam.must(`publish ${lsn}`);
      at += n;
    }
    const changed = [...t.rows.keys()].filter(() => chance(6));
    for (const k of changed) t.rows.set(k, randomRow(t, k, plain));
    if (changed.length > 0) await put(t, changed.map((k) => t.rows.get(k)));
    const gone = [...t.rows.keys()].filter(() => chance(12));
    if (gone.length > 0) await seam.must([`del ${t.name} ${++lsn} ${gone.length}`, ...gone.map((k) => t.rows.get(k).map((v) => (v === null ? '\\N' : escape(v))).join('\t'))].join('\n'));
    for (const k of gone) t.rows.delete(k);
    await seam.must(`publish ${lsn}`);
    if (chance(4)) await seam.must('compact');
  }
  await seam.must('read');
  await seam.must('threads ' + pick([1, 2]));
  await seam.must('memory ' + pick([0, 0, 20000])); // the last makes joins and groups in passes
};

const OTHER_TYPES = {
  DuckDB: (c) => ({ int: 'bigint', double: 'double', decimal: `decimal(18,${c.scale})`, bool: 'boolean', time: 'timestamp', text: 'varchar' })[c.type],
  SQLite: (c) => ({ int: 'integer', double: 'real', bool: 'integer', text: 'text' })[c.type],
};
const otherValue = (c, v, dialect) => {
  if (v === null) return 'null';
  if (c.type === 'text') return `'${v.replace(/'/g, "''")}'`;
  if (c.type === 'bool') return dialect === 'SQLite' ? (v === 'true' ? '1' : '0') : v;
  if (c.type === 'time') return `make_timestamp(${v}::bigint)`;
  if (c.type === 'double') return dialect === 'SQLite' ? `${v} * 1.0` : `'${v}'::double`;
  return c.type === 'int' && v === '-9223372036854775808' ? (dialect === 'SQLite' ? `(-9223372036854775807 - 1)` : `'${v}'::bigint`) : v;
};
const statementsFor = (tables, dialect) => {
  const all = [];
  for (const t of tables) {
    const has = t.columns.filter((c) => OTHER_TYPES[dialect](c));
    all.push(`create table ${t.name} (${has.map((c) => `${c.name} ${OTHER_TYPES[dialect](c)}`).join(', ')})`);
    const rows = [...t.rows.values()];
    for (let at = 0; at < rows.length; at += 400)
      all.push(`insert into ${t.name} values ` + rows.slice(at, at + 400).map((r) => '(' + t.columns.map((c, i) => [c, r[i]]).filter(([c]) => OTHER_TYPES[dialect](c)).map(([c, v]) => otherValue(c, v, dialect)).join(', ') + ')').join(', '));
  }
  return all;
};

// ---- expressions: { type, scale, parts: [text | expression], sqlite: false where SQLite means something else } ----
const node = (type, parts, more = {}) => ({ type, scale: 0, parts, ...more });
const text = (e, d) => (typeof e === 'string' ? e : e.by && e.by[d] !== undefined ? e.by[d] : '(' + e.parts.map((p) => (p && p.by && p.by[d] !== undefined ? p.by[d] : text(p, d))).join('') + ')');
const allows = (e, d) => typeof e === 'string' || ((d !== 'SQLite' || e.sqlite !== false) && (d !== 'DuckDB' || e.duck !== false) && e.parts.every((p) => allows(p, d)));

const columnsOf = (scope, type) => scope.filter((c) => c.type === type);
const leaf = (c) => ({ type: c.type, scale: c.scale || 0, parts: [c.ref], leaf: true, sqlite: c.type === 'decimal' || c.type === 'time' ? false : undefined });
const literal = (type, scale) => {
  switch (type) {
    case 'int': return node('int', [pick(['0', '1', '2', '-1', '5', '7', '100', '-500000'])]);
    case 'double': return node('double', [pick(['0.5e0', '-1e0', '10e0', '0e0'])]);
    case 'decimal': return node('decimal', [pick(['0.5', '1.25', '10.0', '-3.75', '0.01'])], { scale: 2, sqlite: false });
    case 'bool': return node('bool', [pick(['true', 'false'])]);
    case 'time': return node('time', [`timestamp '${pick(['2024-02-29 12:00:00', '1970-01-01', '2023-11-20', '0001-01-01', '9999-12-31 23:59:59'])}'`], { sqlite: false });
    default: return node('text', [`'${pick(WORDS).replace(/'/g, "''")}'`]);
  }
};

const expression = (scope, type, depth) => {
  const columns = columnsOf(scope, type);
  if (depth <= 0 || chance(4)) return columns.length > 0 && !chance(4) ? leaf(pick(columns)) : literal(type);
  const sub = (t) => expression(scope, t || type, depth - 1);
  if (chance(6)) return choose(scope, type, depth);
  switch (type) {
    case 'int':
      switch (below(6)) {
        case 0: return node('int', [sub(), pick([' + ', ' - ', ' * ']), sub()]);
        case 1: return node('int', [sub(), ' % ', literal('int')]);
        case 2: return node('int', ['length(', sub('text'), ')']);
        case 3: return node('int', [`date_part('${pick(['year', 'month', 'day', 'quarter', 'week', 'dow', 'doy', 'hour', 'minute'])}', `, sub('time'), ')'], { sqlite: false });
        case 4: return node('int', ['-', sub()]);
        default: return node('int', ['abs(', sub(), ')']);
      }
    case 'double':
      switch (below(4)) {
        case 0: return node('double', [sub(), pick([' + ', ' - ', ' * ']), sub(pick(['double', 'int']))]);
        case 1: return node('double', [sub(), ' / ', sub(pick(['double', 'int']))], { duck: false });
        case 2: return node('double', ['cast(', sub('int'), ' as double)']);
        default: return node('double', ['abs(', sub(), ')']);
      }
    case 'decimal':
      return below(2) ? node('decimal', [sub(), pick([' + ', ' - ']), sub()], { sqlite: false })
        : node('decimal', [sub(), ' * ', literal('int')], { sqlite: false });
    case 'bool': return condition(scope, depth);
    case 'time': return node('time', [`date_trunc('${pick(['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute'])}', `, sub(), ')'], { sqlite: false });
    default:
      switch (below(6)) {
        case 0: return node('text', [sub(), ' || ', sub()]);
        case 1: return node('text', [pick(['lower(', 'upper(']), sub(), ')'], { sqlite: false });
        case 2: return node('text', ['substr(', sub(), `, ${1 + below(3)}, ${below(4)})`]);
        case 3: return node('text', ['cast(', sub('int'), ' as varchar)'], { sqlite: false });
        default: return leaf(pick(columnsOf(scope, 'text')));
      }
  }
};
const choose = (scope, type, depth) => {
  const one = () => expression(scope, type, depth - 1);
  if (chance(2)) return node(type, ['coalesce(', one(), ', ', one(), ')'], type === 'decimal' ? { sqlite: false } : {});
  return node(type, ['case when ', condition(scope, depth - 1), ' then ', one(), ...(chance(3) ? [] : [' else ', one()]), ' end'], type === 'bool' ? { sqlite: false } : {});
};
const PATTERNS = ['%', 'a%', '%b%', '_', '__', '%_b', 'cancelled%', 'cancelle%', 'cancelled b%', '%😀', 'é%', '100!%', '%!_b'];
const condition = (scope, depth) => {
  const sub = () => condition(scope, depth - 1), type = pick(['int', 'int', 'text', 'text', 'double', 'decimal', 'time', 'bool']);
  const one = (t = type) => expression(scope, t, depth - 1);
  if (depth > 0 && chance(3))
    return pick([() => node('bool', [sub(), ' and ', sub()]), () => node('bool', [sub(), ' or ', sub()]), () => node('bool', ['not ', sub()])])();
  switch (below(10)) {
    case 9: return subquery(scope);
    case 0: return node('bool', [one(), pick([' is null', ' is not null'])]);
    case 1: return node('bool', [one(), pick([' between ', ' not between ']), one(), ' and ', one()]);
    case 2: return node('bool', [one(), pick([' in (', ' not in (']), literal(type), ', ', literal(type), ...(chance(4) ? [', null'] : []), ...(chance(3) ? [', ', one()] : []), ')']);
    case 3: return node('bool', [one('text'), pick([' like ', ' not like ']), `'${pick(PATTERNS)}' escape '!'`]);
    case 4: return node('bool', [one('text'), ' ilike ', `'${pick(PATTERNS)}' escape '!'`], { sqlite: false, duck: false });
    case 5: return node('bool', [one('int'), pick([' < ', ' = ', ' >= ', ' <> ']), one(pick(['decimal', 'double']))], { sqlite: false });
    case 6: return node('bool', [one('decimal'), pick([' < ', ' = ', ' >= ', ' <> ']), one(pick(['decimal', 'int']))], { sqlite: false });
    default: return node('bool', [one(), pick([' = ', ' <> ', ' < ', ' <= ', ' > ', ' >= ']), one()]);
  }
};

// x in (select ...), exists (select ... that may look outside), x = (select one value).
let world = [];
const subquery = (scope) => {
  const t = pick(world), inner = t.columns.map((c) => ({ ...c, ref: `z.${c.name}` })), type = pick(['int', 'text']);
  const where = chance(2) ? [' where ', condition(chance(2) ? inner : [...inner, ...scope], 0)] : [];
  switch (below(4)) {
    case 0: return node('bool', [leaf(pick(columnsOf(scope, type))), pick([' in', ' not in']), ' (select ', leaf(pick(columnsOf(inner, type))), ` from ${t.name} z`, ...where, ')']);
    case 1: return node('bool', [pick(['', 'not ']), `exists (select 1 from ${t.name} z where `, leaf(pick(columnsOf(inner, type))), ' = ', leaf(pick(columnsOf(scope, type))), ')']);
    case 2: return node('bool', [leaf(pick(columnsOf(scope, 'int'))), pick([' = ', ' < ', ' > ']), '(select ', pick(['max(', 'min(', 'count(']), leaf(pick(columnsOf(inner, 'int'))), `) from ${t.name} z`, ...where, ')']);
    default: return node('bool', [leaf(pick(columnsOf(scope, type))), ' is null']);
  }
};
const windowed = (scope) => {
  const order = scope.filter((c) => c.name === 'k').map((c) => c.ref + ' nulls last').join(', '), part = chance(3) ? '' : `partition by ${pick(scope.filter((c) => c.type === 'int' || c.type === 'text')).ref} `;
  const arg = () => leaf(pick(columnsOf(scope, 'int')));
  return pick([() => node('int', [`row_number() over (${part}order by ${order})`]), () => node('int', [pick(['rank', 'dense_rank']) + `() over (${part}order by ${pick(columnsOf(scope, 'int')).ref} nulls last)`]),
    () => node('int', [pick(['sum(', 'min(', 'max(', 'count(']), arg(), `) over (${part}${chance(2) ? '' : 'order by ' + order})`]), () => node('int', [pick(['lag(', 'lead(']), arg(), `) over (${part}order by ${order})`])])();
};

// ---- questions ----
const JOINS = ['join', 'join', 'left join', 'right join', 'full join', 'cross join'];
const randomQuestion = (tables, inner = null) => {
  const n = pick([1, 1, 1, 2, 2, 3]), from = [], scope = [];
  for (let i = 0; i < n; i++) {
    const t = pick(i === 0 ? tables : tables.slice(1)), alias = 'abc'[i], mine = t.columns.map((c) => ({ ...c, ref: `${alias}.${c.name}` }));
    let kind = i === 0 ? '' : pick(JOINS), on = null;
    if (i > 0 && kind !== 'cross join') {
      const type = pick(['int', 'text', 'int']), l = columnsOf(scope, type), r = columnsOf(mine, type);
      on = node('bool', [leaf(pick(l)), ' = ', leaf(pick(r))]);
      if (chance(4)) on = node('bool', [on, ' and ', condition(chance(2) ? mine : [...scope, ...mine], 1)]);
    }
    const derived = chance(8) ? `(select * from ${t.name} z where z.${pick(t.columns).name} is not null)` : null;
    from.push({ table: derived || t.name, alias, kind, on });
    scope.push(...mine);
  }
  const q = { from, where: chance(3) ? null : condition(scope, 2 + below(2)), group: [], items: [], having: null, distinct: false, limit: null, set: null };
  if (inner) {
    q.items = inner.map((type) => expression(scope, type, 1));
    return q;
  }
  if (chance(2)) {
    for (let i = below(3); i > 0; i--) q.group.push(chance(2) ? leaf(pick(scope)) : expression(scope, pick(['int', 'text', 'bool', 'time']), 1));
    q.items = [...q.group];
    for (let i = 1 + below(3); i > 0; i--) q.items.push(aggregate(scope));
    if (chance(4)) q.having = node('bool', ['count(*)', pick([' > ', ' <= ']), String(below(6))]);
  } else {
    for (let i = 1 + below(4); i > 0; i--) q.items.push(chance(2) ? leaf(pick(scope)) : expression(scope, pick(['int', 'double', 'decimal', 'bool', 'time', 'text']), 2));
    q.distinct = chance(5);
    if (chance(10)) q.items.push(windowed(scope));
  }
  if (!q.limit && !inner && chance(10)) {
    const other = randomQuestion(tables, q.items.map((e) => e.type));
    if (other && q.items.every((e) => e.type !== 'decimal')) q.set = { op: pick(['union all', 'union', 'intersect', 'except']), q: other };
  }
  if (!q.set && chance(4)) q.limit = [1 + below(20), chance(2) ? below(5) : 0];
  return q;
};
// A sum of doubles depends on its order where large ones cancel: of columns, which have no large negative.
const aggregate = (scope) => {
  const summed = (type) => (type !== 'double' ? expression(scope, type, 1) : columnsOf(scope, type).length > 0 ? leaf(pick(columnsOf(scope, type))) : literal(type));
  const type = pick(['int', 'decimal', 'double', 'int']), any = pick(['int', 'text', 'double', 'time', 'decimal']);
  switch (below(8)) {
    case 0: return node('int', ['count(*)']);
    case 1: return node('int', ['count(', expression(scope, any, 1), ')']);
    case 2: return node('int', ['count(distinct ', expression(scope, any, 1), ')'], any === 'double' ? { loose: true } : {});
    case 3: return node(type, ['sum(', summed(type), ')'], { loose: type === 'double' });
    case 4: return node('double', ['avg(', summed(type), ')'], { loose: true });
    case 5: return node(any, ['min(', expression(scope, any, 1), ')']);
    case 6: return node(any, ['max(', expression(scope, any, 1), ')']);
    default: return node('int', ['sum(case when ', condition(scope, 1), ' then 1 else 0 end)']);
  }
};
// Times are shown as microseconds, so that they compare as numbers.
const shown = (e, d) => (e.type !== 'time' ? text(e, d) : d === 'DuckDB' ? `epoch_us(${text(e, d)})` : `cast(${text(e, d)} as bigint)`);
const render = (q, d) => {
  const order = q.items.map((e, i) => `${i + 1} nulls last`).join(', ');
  return `select ${q.distinct ? 'distinct ' : ''}${q.items.map((e) => shown(e, d)).join(', ')} from ` +
    q.from.map((f) => `${f.kind} ${f.table} ${f.alias}${f.on ? ' on ' + text(f.on, d) : ''}`).join(' ').trim() +
    (q.where ? ` where ${text(q.where, d)}` : '') + (q.group.length > 0 ? ` group by ${q.group.map((e) => shown(e, d)).join(', ')}` : '') +
    (q.having ? ` having ${text(q.having, d)}` : '') + (q.set ? ` ${q.set.op} ${render(q.set.q, d)}` : '') + (q.limit ? ` order by ${order} limit ${q.limit[0]}${q.limit[1] ? ' offset ' + q.limit[1] : ''}` : '');
};
const partsOf = (q) => [...q.items, ...q.group, q.where, q.having, ...q.from.map((f) => f.on), ...(q.set ? partsOf(q.set.q) : [])].filter(Boolean);

// ---- answers ----
const plainNumber = (v) => {
  if (/^-?\d+$/.test(v)) return v.replace(/^-0+$/, '0');
  if (/^-?\d+\.\d*$/.test(v)) return v.replace(/0+$/, '').replace(/\.$/, '').replace(/^-0$/, '0');
  return v;
};
const canonical = (v, type, digits) => {
  if (v === null) return 'null';
  if (type === 'text') return 't' + v;
  if (type === 'bool') return v === 'true' || v === '1' ? 'true' : 'false';
  if (type === 'double') {
    const n = v.toLowerCase() === 'nan' ? NaN : /^[+]?inf/i.test(v) ? Infinity : /^-inf/i.test(v) ? -Infinity : Number(v);
    return Number.isFinite(n) ? (Math.abs(n) < 1e-9 ? '0' : n.toPrecision(digits)) : String(n);
  }
  return plainNumber(v);
};
const canon = (answer, types, digits) => answer.rows.map((r) => r.map((v, i) => canonical(v, types[i], digits)).join(' | ')).sort();
const compare = (ours, theirs, q) => {
  const types = ours.columns.map((c) => ({ double: 'double', text: 'text', bool: 'bool' })[c.type] || 'number');
  let found = null;
  for (const digits of [9, 7]) { // what falls on two sides of a rounding in one does not in the other
    const a = canon(ours, types, digits), b = canon(theirs, types, digits);
    const at = a.findIndex((row, i) => row !== b[i]);
    if (at < 0 && a.length === b.length) return null;
    const i = at < 0 ? a.length : at;
    found = `row ${i} of ${a.length} and ${b.length}: ours ${a[i]}, theirs ${b[i]}`;
  }
  return found;
};

// Smaller questions of the same kind: parts left out, expressions by their own parts.
function* smaller(q) {
  if (q.set) yield { ...q, set: null };
  if (q.set) yield q.set.q;
  if (q.limit) yield { ...q, limit: null };
  if (q.having) yield { ...q, having: null };
  if (q.distinct) yield { ...q, distinct: false };
  if (q.where) yield { ...q, where: null };
  for (let i = q.from.length - 1; i > 0; i--) {
    const used = partsOf({ ...q, from: q.from.filter((f, k) => k !== i) }).some((e) => text(e, '').includes(q.from[i].alias + '.'));
    if (!used) yield { ...q, from: q.from.filter((f, k) => k !== i) };
  }
  for (let i = 0; i < q.items.length; i++) {
    if (q.items.length === 1 || q.set) break;
    const e = q.items[i];
    yield { ...q, items: q.items.filter((x, k) => k !== i), group: q.group.filter((g) => g !== e) };
  }
  const inside = (e) => e.parts.filter((p) => typeof p !== 'string' && p.type === e.type);
  const deeper = function* (e) {
    for (const p of inside(e)) yield p;
    for (let i = 0; i < e.parts.length; i++)
      if (typeof e.parts[i] !== 'string') for (const p of deeper(e.parts[i])) yield { ...e, parts: e.parts.map((x, k) => (k === i ? p : x)) };
  };
  if (q.where) for (const w of deeper(q.where)) yield { ...q, where: w };
  for (let i = 0; i < q.items.length; i++)
    if (!q.group.includes(q.items[i])) for (const e of deeper(q.items[i])) yield { ...q, items: q.items.map((x, k) => (k === i ? e : x)) };
  for (let i = 1; i < q.from.length; i++)
    if (q.from[i].on) for (const e of deeper(q.from[i].on)) yield { ...q, from: q.from.map((f, k) => (k === i ? { ...f, on: e } : f)) };
}
const differs = async (seam, other, q) => {
  if (!partsOf(q).every((e) => allows(e, other.name))) return null;
  const ours = await seam.ask(render(q, 'seam'));
  if (ours.error) return null;
  const theirs = await other.ask(render(q, other.name));
  return theirs.error ? null : compare(ours, theirs, q);
};
const shrink = async (seam, other, q) => {
  for (let tries = 0, again = true; again && tries < 400;) {
    again = false;
    for (const s of smaller(q)) {
      if (tries++ > 400) break;
      if (await differs(seam, other, s)) {
        q = s;
        again = true;
        break;
      }
    }
  }
  return q;
};

// ---- the run ----
const others = [Sqlite.find(), await Duck.find()].filter(Boolean);
if (others.length === 0) process.exit(0);
const seam = new Seam(driver), count = { asked: 0, compared: 0, refused: 0, failed: 0, theirs: 0, wrong: 0 }, refusals = new Map();
for (let s = 0; s < Number(seeds); s++) {
  const seed = firstSeed + s;
  state = seed;
  const plain = chance(2), sizes = [pick([0, 5, 300, 3000]), pick([5, 40, 200]), pick([3, 60])];
  const tables = sizes.map((n, i) => randomTable('t' + i, n, plain));
  world = tables;
  await loadSeam(seam, tables, `${scratch}/w${s}`, plain);
  const mine = others.filter((o) => o.name === 'DuckDB' || plain); // SQLite has no NaN, and no end to its integers
  for (const o of mine) await o.load(statementsFor(tables, o.name));
  for (let i = 0; i < Number(queries); i++) {
    const q = randomQuestion(tables);
    let ours = null;
    count.asked++;
    for (const o of mine) {
      if (!partsOf(q).every((e) => allows(e, o.name))) continue;
      ours = ours || (await seam.ask(render(q, 'seam')));
      if (ours.status === 'died' || ours.status === 'corrupt') {
        console.log(`seed ${seed}: ${ours.error}: ${render(q, 'seam')}`);
        process.exit(1);
      }
      if (ours.error) {
        if (ours.status === 'limit') count.failed++;
        else {
          count.refused++;
          refusals.set(ours.error.slice(0, 70), (refusals.get(ours.error.slice(0, 70)) || 0) + 1);
        }
        break;
      }
      const theirs = await o.ask(render(q, o.name));
      if (theirs.error) {
        count.theirs++;
        if (process.env.ORACLE_SHOW) console.log(`${o.name}: ${theirs.error}: ${render(q, o.name)}`);
        continue;
      }
      count.compared++;
      if (compare(ours, theirs, q)) {
        const least = await shrink(seam, o, q);
        console.log(`seed ${seed}, question ${i}, against ${o.name}:\n  ${render(least, 'seam')}\n  ${render(least, o.name)}\n  ${await differs(seam, o, least)}`);
        count.wrong++;
      }
    }
  }
}
seam.end();
console.log(`seeds ${firstSeed} to ${firstSeed + Number(seeds) - 1}: ${count.asked} questions, ${count.compared} answers compared with ${others.map((o) => o.name).join(' and ')}, ${count.wrong} different; ours refused ${count.refused}, failed by a limit ${count.failed}; theirs failed ${count.theirs}`);
for (const [why, n] of [...refusals].sort((a, b) => b[1] - a[1]).slice(0, 12)) console.log(`  ${n} refused: ${why}`);
process.exit(count.wrong > 0 ? 1 : 0);
