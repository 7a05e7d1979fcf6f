/**
 * `npm run bench [-- other.js]`: what a run costs beside a bare token request, as whole processes over TLS.
 * Nothing passes or fails here. S2S_ROUNDS (15) says how often each is run; the clipboard is the machine's own.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ACCOUNT, certificate, startStandIn, zoom } from './stand-in.ts';

const rounds = Number(process.env['S2S_ROUNDS'] ?? 15);
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const tsx = [file('../node_modules/tsx/dist/cli.mjs')];

type Command = { name: string; args: string[]; times: number[]; base?: Command };
const command = (name: string, args: string[], base?: Command): Command => ({
  name,
  args,
  times: [],
  ...(base && { base }),
});

/** The script and its measure under one runner. */
function commands(runner: string, prefix: string[]): Command[] {
  const bare = command(`${runner}: bare request`, [...prefix, file('bare.ts')]);
  const script = [...prefix, file('../s2s.ts')];
  return [
    bare,
    command(`${runner}: s2s.ts`, script, bare),
    command(`${runner}: s2s.ts --token`, [...script, '--token'], bare),
  ];
}

const underTsx = commands('tsx', tsx);
const stripsTypes = Boolean((process.features as { typescript?: unknown }).typescript);
const underNode = stripsTypes ? commands('node', []) : [];
const [base] = stripsTypes ? underNode : underTsx;
const others = process.argv.slice(2).map((other) => command(`node: ${other}`, [resolve(other)], base));
const all = [...underTsx, ...underNode, ...others];

const folder = mkdtempSync(join(tmpdir(), 's2s-bench-'));
const tls = await certificate('localhost');
writeFileSync(join(folder, 'ca.pem'), tls.cert);
let delay = 0;
const standIn = await startStandIn(
  async (...request) => zoom(...((await sleep(delay), request) as typeof request)),
  tls,
);
const env = {
  ...process.env,
  ...ACCOUNT,
  ZOOM_HOST: `https://localhost:${standIn.port}`,
  NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'),
};

/** One whole process, in milliseconds. */
async function time({ name, args }: Command): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { env, cwd: folder, stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${name}: exit code ${code}`);
  return performance.now() - started;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
const two = (value: number) => value.toFixed(2);

console.log(`Node ${process.version}, ${rounds} rounds: median, and times the bare request (minimum to maximum).\n`);
console.log('| answer after | command | median | ratio |\n| --- | --- | --- | --- |');
try {
  for (delay of [0, 150, 300]) {
    for (const command of all) command.times = [];
    for (const command of all) await time(command); // Caches are warm from the second run on.
    for (let round = 0; round < rounds; round++) for (const command of all) command.times.push(await time(command));
    for (const { name, times, base } of all) {
      const ratios = base ? times.map((ms, round) => ms / base.times[round]!) : [];
      const spread = base
        ? `${two(median(times) / median(base.times))} (${two(Math.min(...ratios))} to ${two(Math.max(...ratios))})`
        : '1';
      console.log(`| ${delay} ms | ${name} | ${median(times).toFixed(0)} ms | ${spread} |`);
    }
  }
} finally {
  standIn.close();
  rmSync(folder, { recursive: true });
}
