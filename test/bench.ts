/**
 * `npm run bench [-- other.js]`: what the ways to run the script cost, as whole processes over TLS, where Zoom answers
 * after 150 ms. Nothing passes or fails here. S2S_ROUNDS (15) says how often each is run.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ACCOUNT, certificate, startStandIn, zoom } from './stand-in.ts';

const rounds = Number(process.env['S2S_ROUNDS'] ?? 15);
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 's2s-bench-'));
const ca = join(temporary, 'ca.pem');
const NODE_COMPILE_CACHE = join(temporary, 'cache');

type Way = { name: string; command: string[]; env?: Record<string, string>; cwd?: string };
const node = process.execPath;
const stripsTypes = Boolean((process.features as { typescript?: unknown }).typescript);
const least: Way = { name: 'the least: node:https, one helper', command: [node, file('least.mjs')] };
const ways: Way[] = [
  { name: '`npx tsx s2s.ts`', command: ['npx', 'tsx', 's2s.ts'] },
  { name: '`npm start`', command: ['npm', 'start'] },
  ...(stripsTypes
    ? [
        { name: '`node s2s.ts`', command: [node, 's2s.ts'] },
        { name: '`node s2s.ts`, `NODE_COMPILE_CACHE` set', command: [node, 's2s.ts'], env: { NODE_COMPILE_CACHE } },
      ]
    : []),
  ...process.argv.slice(2).map((other) => ({
    name: `\`node ${basename(other)}\``,
    command: [node, resolve(other)],
    cwd: dirname(resolve(other)),
  })),
  least,
];
const times = new Map<Way, number[]>(ways.map((way) => [way, []]));

const tls = await certificate('localhost');
writeFileSync(ca, tls.cert);
const standIn = await startStandIn(async (...request) => {
  await sleep(150);
  zoom(...request);
}, tls);
const stood = { ...ACCOUNT, ZOOM_HOST: `https://localhost:${standIn.port}`, NODE_EXTRA_CA_CERTS: ca };

/** One whole process, in milliseconds. */
async function time({ name, command: [program = '', ...args], env, cwd = file('..') }: Way): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...stood, ...env },
    stdio: 'ignore',
    shell: process.platform === 'win32' && /^np[mx]$/.test(program), // npm.cmd, npx.cmd
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${name}: exit code ${code}`);
  return performance.now() - started;
}

const median = (way: Way) => times.get(way)!.toSorted((a, b) => a - b)[rounds >> 1] ?? NaN;

console.error(`This copies a stand-in's token to your clipboard, ${ways.length * (rounds + 1)} times.`);
try {
  for (const way of ways) await time(way); // Caches are warm from the second run on.
  for (let round = 0; round < rounds; round++) for (const [way, ms] of times) ms.push(await time(way));
  console.log(`| Node ${process.version}, ${rounds} rounds | median | times the least |\n| --- | --- | --- |`);
  for (const way of ways)
    console.log(`| ${way.name} | ${median(way).toFixed(0)} ms | ${(median(way) / median(least)).toFixed(2)} |`);
} finally {
  standIn.close();
  rmSync(temporary, { recursive: true });
}
