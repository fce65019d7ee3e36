// slt DRIVER FILE|DIR: runs sqllogictest files against the warehouse. Tables and rows are made as the files' CREATE TABLE
// and INSERT say; every query is asked, its answer compared as the format describes (value by value, or by its MD5).
// Reports passed, failed and refused, the refused by their reason; prints the first failures. Exit 1 when one failed.
import crypto from 'crypto';
import fs from 'fs';
import path from 'path';
import { Seam, escape, scratch } from './lib.mjs';

const [driver, where] = process.argv.slice(2);
if (!where || !fs.existsSync(where)) {
  console.log('skip  sqllogictest: say where its files are, make oracle-slt DIR=...');
  process.exit(0);
}
const list = (p) => (fs.statSync(p).isDirectory() ? fs.readdirSync(p).sort().flatMap((n) => list(path.join(p, n))) : /\.(test|slt|test_slow)$/.test(p) ? [p] : []);

// ---- statements the warehouse does not run itself ----
const TYPE = (t) => (/int|bigint|serial/i.test(t) ? 'int64' : /char|text|string|clob/i.test(t) ? 'text' : /double|real|float/i.test(t) ? 'double' : /bool/i.test(t) ? 'bool' : /date|time/i.test(t) ? 'timestamp' : /dec|num/i.test(t) ? 'decimal' : null);
const splitTop = (s) => {
  const out = [];
  let depth = 0, quoted = false, from = 0;
  for (let i = 0; i < s.length; i++) {
    if (s[i] === "'") quoted = !quoted;
    else if (!quoted && s[i] === '(') depth++;
    else if (!quoted && s[i] === ')') depth--;
    else if (!quoted && depth === 0 && s[i] === ',') {
      out.push(s.slice(from, i));
      from = i + 1;
    }
  }
  return [...out, s.slice(from)].map((x) => x.trim());
};
class Base {
  constructor(seam) {
    this.seam = seam;
    this.tables = new Map();
    this.lsn = 0;
    this.dirty = true;
  }
  async create(sql) {
    const m = /^create\s+(?:temp\w*\s+)?table\s+(?:if\s+not\s+exists\s+)?"?(\w+)"?\s*\(([\s\S]*)\)\s*;?\s*$/i.exec(sql);
    if (!m) return 'CREATE TABLE of another form';
    const columns = [];
    for (const c of splitTop(m[2])) {
      if (/^(primary|unique|foreign|check|constraint)\b/i.test(c)) continue;
      const [, name, type = ''] = /^"?(\w+)"?\s*([\w]*(?:\s*\([^)]*\))?)/.exec(c) || [];
      const scale = /\(\s*\d+\s*,\s*(\d+)/.exec(type);
      if (!name || !TYPE(type)) return `a column of type ${type}`;
      columns.push({ name: name.toLowerCase(), type: TYPE(type), ...(TYPE(type) === 'decimal' ? { scale: scale ? Number(scale[1]) : 0 } : {}), nullable: true });
    }
    this.tables.set(m[1].toLowerCase(), columns);
    await this.seam.must('table ' + JSON.stringify({ table: m[1].toLowerCase(), version: 1, key: [], columns }));
    this.dirty = true;
    return null;
  }
  async insert(sql) {
    const m = /^insert\s+into\s+"?(\w+)"?\s*(?:\(([^)]*)\))?\s*values\s*([\s\S]*?);?\s*$/i.exec(sql), columns = m && this.tables.get(m[1].toLowerCase());
    if (!columns) return 'INSERT of another form';
    const into = m[2] ? splitTop(m[2]).map((n) => columns.findIndex((c) => c.name === n.replace(/"/g, '').toLowerCase())) : columns.map((c, i) => i);
    const rows = [];
    for (const tuple of splitTop(m[3])) {
      const values = splitTop(tuple.replace(/^\(|\)$/g, '')), row = columns.map(() => '\\N');
      for (let i = 0; i < values.length; i++) {
        let v = values[i];
        const c = columns[into[i]];
        if (!c || !/^('([^']|'')*'|[-+]?[\d.]+(e[-+]?\d+)?|null|true|false)$/i.test(v)) return 'INSERT of an expression';
        if (/^null$/i.test(v)) continue;
        if (v.startsWith("'")) v = v.slice(1, -1).replace(/''/g, "'");
        if (c.type === 'timestamp') v = String(BigInt(Math.round(Date.parse(v + (v.length > 10 ? 'Z' : ''))) * 1000));
        if (c.type === 'int64') v = v.replace(/^\+/, '').replace(/\.0*$/, '');
        row[into[i]] = escape(v);
      }
      rows.push(row.join('\t'));
    }
    const lines = await this.seam.tell([`put ${m[1].toLowerCase()} ${++this.lsn} ${rows.length}`, ...rows].join('\n'));
    this.dirty = true;
    return lines[lines.length - 1].startsWith('!ok') ? null : 'INSERT: ' + lines[lines.length - 1];
  }
  async ready() {
    if (!this.dirty) return;
    await this.seam.must(`publish ${++this.lsn}`);
    await this.seam.must('read');
    this.dirty = false;
  }
}

// ---- answers as the format prints them ----
const shown = (v, letter, type) => {
  if (v === null) return 'NULL';
  if (letter === 'T') return v === '' ? '(empty)' : type === 'bool' ? v : v.replace(/[^\x20-\x7e]/g, '@');
  if (letter === 'I') return type === 'bool' ? (v === 'true' ? '1' : '0') : /^-?\d+$/.test(v) ? v : String(Math.trunc(Number(v)));
  return Number(v).toFixed(3);
};
const same = (a, b, letter) => a === b || (letter === 'R' && Math.abs(Number(a) - Number(b)) <= 1e-3 * Math.max(1, Math.abs(Number(a)))) ||
  (/^(true|false)$/.test(a) && /^[01]$/.test(b) && (a === 'true') === (b === '1')) || (a !== 'NULL' && b !== 'NULL' && a !== '' && b !== '' && Number(a) === Number(b));
const sorted = (rows, how, width) => {
  if (how === 'rowsort') return rows.sort((a, b) => (a.join('\x00') < b.join('\x00') ? -1 : 1)).flat();
  return how === 'valuesort' ? rows.flat().sort() : rows.flat();
};

const count = { passed: 0, failed: 0, refused: 0 }, refused = new Map(), failures = [];
const refuse = (why) => {
  count.refused++;
  why = why.replace(/'[^']*'/g, "'...'").slice(0, 80);
  refused.set(why, (refused.get(why) || 0) + 1);
};
const run = async (file) => {
  const seam = new Seam(driver), base = new Base(seam);
  let skip = false;
  await seam.must(`open ${fs.mkdtempSync(path.join(scratch, 'slt-'))} 5000`);
  for (const record of fs.readFileSync(file, 'utf8').split(/\r?\n\r?\n+/)) {
    const lines = record.split(/\r?\n/).filter((l) => !l.startsWith('#'));
    while (lines.length > 0 && /^(skipif|onlyif)\b/.test(lines[0])) skip = skip || /^onlyif/.test(lines.shift());
    const head = (lines.shift() || '').trim().split(/\s+/);
    if (skip || head[0] === '') { skip = false; continue; }
    if (head[0] === 'halt') break;
    if (head[0] === 'statement') {
      const sql = lines.join('\n').trim();
      if (head[1] === 'ok' && /^create\s+(temp\w*\s+)?table/i.test(sql)) { const why = await base.create(sql); if (why) refuse(why); }
      else if (head[1] === 'ok' && /^insert/i.test(sql)) { const why = await base.insert(sql); if (why) refuse(why); }
      else if (head[1] === 'ok' && !/^(create\s+(unique\s+)?index|pragma|drop\s+index|analyze|begin|commit|set)\b/i.test(sql)) refuse('a statement: ' + sql.split(/\s+/).slice(0, 2).join(' ').toLowerCase());
      continue;
    }
    if (head[0] !== 'query') continue;
    const at = lines.indexOf('----'), sql = lines.slice(0, at < 0 ? lines.length : at).join('\n').trim().replace(/;$/, ''), want = at < 0 ? [] : lines.slice(at + 1).filter((l, i, all) => l !== '' || i < all.length - 1);
    await base.ready();
    const answer = await seam.ask(sql), letters = head[1];
    if (answer.error) { refuse(answer.error); continue; }
    const width = letters.length, got = sorted(answer.rows.map((r) => r.map((v, i) => shown(v, letters[i] || 'T', answer.columns[i].type))), head[2], width);
    const hashed = /^(\d+) values hashing to ([0-9a-f]{32})$/.exec(want[0] || ''), wanted = want.length * 1 !== got.length && width > 1 && want.length === answer.rows.length ? want.flatMap((l) => l.split('\t')) : want;
    const ok = hashed ? Number(hashed[1]) === got.length && crypto.createHash('md5').update(got.map((v) => v + '\n').join('')).digest('hex') === hashed[2]
      : wanted.length === got.length && wanted.every((v, i) => same(v, got[i], letters[i % width]));
    count[ok ? 'passed' : 'failed']++;
    if (!ok && failures.length < 20) failures.push(`${file}: ${sql.replace(/\s+/g, ' ')}\n    want ${want.slice(0, 8).join(' | ')}\n    got  ${got.slice(0, 8).join(' | ')}`);
  }
  seam.end();
};
const files = list(where);
for (const f of files) await run(f);
for (const f of failures) console.log('  ' + f);
console.log(`${files.length} files: ${count.passed} passed, ${count.failed} failed, ${count.refused} refused`);
for (const [why, n] of [...refused].sort((a, b) => b[1] - a[1]).slice(0, 25)) console.log(`  ${n} refused: ${why}`);
process.exit(count.failed > 0 ? 1 : 0);
