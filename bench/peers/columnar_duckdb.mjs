// DuckDB behind the line protocol of bench/common/peer.h, through its node binding (@duckdb/node-api), run by node when
// the package resolves from here or from NODE_PATH.
//   threads N            ok
//   exec SQL             milliseconds
//   run SQL              milliseconds|rows: values joined by ',', rows by ';'
//   size                 bytes of the database's used blocks
//   filesize PATH        bytes
import { createRequire } from 'module';
import fs from 'fs';
import readline from 'readline';

const require = createRequire(process.cwd() + '/peer.js');
const { DuckDBInstance } = require('@duckdb/node-api');
const instance = await DuckDBInstance.create(process.argv[2] || ':memory:');
const db = await instance.connect();
const prepared = new Map();
const now = () => Number(process.hrtime.bigint()) / 1e6;
const say = (text) => process.stdout.write(text + '\n');
const rowsOf = async (sql) => (await db.runAndReadAll(sql)).getRowsJson();

say('ready DuckDB ' + (await rowsOf('select version()'))[0][0]);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const at = line.indexOf(' '), command = at < 0 ? line : line.slice(0, at), rest = at < 0 ? '' : line.slice(at + 1);
  try {
    if (command === 'quit') break;
    else if (command === 'threads') { await db.run(`set threads=${rest}`); say('ok'); }
    else if (command === 'exec') { const t = now(); await db.run(rest); say(String(now() - t)); }
    else if (command === 'run') {
      if (!prepared.has(rest)) prepared.set(rest, await db.prepare(rest));
      const t = now(), rows = await (await prepared.get(rest).run()).getRowsJson(), ms = now() - t;
      say(ms + '|' + rows.map((r) => r.join(',')).join(';').slice(0, 4000));
    } else if (command === 'size') {
      const r = (await rowsOf('select used_blocks, block_size from pragma_database_size()'))[0];
      say(String(Number(r[0]) * Number(r[1])));
    } else if (command === 'filesize') say(String(fs.statSync(rest).size));
    else say('error unknown command');
  } catch (e) { say('error ' + String(e.message).replace(/\s+/g, ' ').slice(0, 300)); }
}
