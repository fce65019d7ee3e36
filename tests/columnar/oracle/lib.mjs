// What the oracles' scripts share: the driver, SQLite and DuckDB as functions from SQL to rows.
import { spawn } from 'child_process';
import { execFileSync } from 'child_process';
import { createRequire } from 'module';
import fs from 'fs';
import os from 'os';
import path from 'path';

export const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'seam-oracle-'));
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));

// ---- ours ----
const unescape = (s) => s.replace(/\\(.)/g, (m, c) => (c === 't' ? '\t' : c === 'n' ? '\n' : c === 'r' ? '\r' : c));
export const escape = (s) =>
  s.replace(/\\/g, '\\\\').replace(/\t/g, '\\t').replace(/\n/g, '\\n').replace(/\r/g, '\\r');

export class Seam {
  constructor(driver) {
    this.child = spawn(driver, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.rest = '';
    this.lines = [];
    this.waiting = null;
    this.child.stdout.setEncoding('utf8');
    this.child.stdout.on('data', (data) => {
      const parts = (this.rest + data).split('\n');
      this.rest = parts.pop();
      this.lines.push(...parts);
      const last = this.lines[this.lines.length - 1] || '';
      if (this.waiting && (last.startsWith('!ok') || last.startsWith('!error'))) {
        const done = this.waiting;
        this.waiting = null;
        done(this.lines.splice(0));
      }
    });
    this.child.on('exit', (code, signal) => {
      this.dead = `the driver ended (${signal || code})`;
      if (this.waiting) this.waiting(['!error\tdied\t-1\t' + this.dead]);
    });
  }
  tell(text) {
    if (this.dead) return Promise.resolve(['!error\tdied\t-1\t' + this.dead]);
    return new Promise((done) => {
      this.waiting = done;
      this.child.stdin.write(text + '\n');
    });
  }
  async must(text) {
    const lines = await this.tell(text), last = lines[lines.length - 1];
    if (!last.startsWith('!ok')) throw new Error(`${text.slice(0, 200)}: ${last}`);
    return lines;
  }
  // { columns: [{ type, scale, name }], rows: [[text or null]] } or { error, status, at }
  async ask(sql) {
    const lines = await this.tell('q ' + escape(sql)), last = lines.pop().split('\t');
    if (last[0] !== '!ok') return { status: last[1], at: Number(last[2]), error: last[3] };
    const columns = lines.shift().split('\t').slice(1).map((c) => {
      const [type, scale, ...name] = c.split(':');
      return { type, scale: Number(scale), name: name.join(':') };
    });
    return { columns, rows: lines.map((l) => (columns.length === 0 ? [] : l.split('\t').map((v) => (v === '\\N' ? null : unescape(v))))) };
  }
  end() {
    this.child.stdin.end();
  }
}

// ---- the others ----
export class Sqlite {
  static find() {
    try {
      execFileSync('sqlite3', ['-version'], { stdio: 'ignore' });
      return new Sqlite();
    } catch {
      console.log('skip  SQLite: no program sqlite3 (Debian: sqlite3)');
      return null;
    }
  }
  name = 'SQLite';
  async load(statements) {
    this.file = path.join(scratch, 'oracle.sqlite');
    fs.rmSync(this.file, { force: true });
    execFileSync('sqlite3', [this.file], { input: 'begin;\n' + statements.join(';\n') + ';\ncommit;\n', maxBuffer: 1 << 28 });
  }
  async ask(sql) {
    try {
      const out = execFileSync('sqlite3', ['-batch', '-cmd', 'pragma case_sensitive_like=on', this.file], {
        input: `.mode quote\n.separator "\x1f" "\x1e"\n${sql};\n`, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'], encoding: 'utf8' });
      return { rows: out.split('\x1e').slice(0, -1).map((r) => r.split('\x1f').map(unquote)) };
    } catch (e) {
      return { error: String(e.stderr || e.message).trim() };
    }
  }
}
const unquote = (v) => {
  if (v === 'NULL') return null;
  if (v.startsWith("'")) return v.slice(1, -1).replace(/''/g, "'");
  return v;
};

export class Duck {
  static async find() {
    try {
      const { DuckDBInstance } = createRequire(process.cwd() + '/oracle.js')('@duckdb/node-api');
      const d = new Duck();
      d.make = () => DuckDBInstance.create(':memory:');
      return d;
    } catch {
      console.log('skip  DuckDB: no package @duckdb/node-api (npm install it, and say where with NODE_PATH)');
      return null;
    }
  }
  name = 'DuckDB';
  async load(statements) {
    this.db = await (await this.make()).connect();
    for (const s of ['set threads=1', 'set ieee_floating_point_ops=false', ...statements]) await this.db.run(s);
  }
  async ask(sql) {
    try {
      const r = await this.db.runAndReadAll(sql);
      return { rows: r.getRowsJson().map((row) => row.map((v) => (v === null ? null : String(v)))) };
    } catch (e) {
      return { error: String(e.message).split('\n')[0] };
    }
  }
}
