/**
 * `npm run bench [-- other.js]`: measures the total run time of each way to run the script, over TLS, with a mock server
 * that takes 150 ms to respond. Runs each S2S_ROUNDS times (15 by default).
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ACCOUNT, createCertificate, respondLikeZoom, startMockZoom } from './mock-zoom.ts';

const rounds = Number(process.env['S2S_ROUNDS'] ?? 15);
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 's2s-bench-'));
const ca = join(temporary, 'ca.pem');
const NODE_COMPILE_CACHE = join(temporary, 'cache');

type Command = { name: string; command: string[]; env?: Record<string, string>; cwd?: string };
const node = process.execPath;
const stripsTypes = Boolean((process.features as { typescript?: unknown }).typescript);
const minimal: Command = {
  name: 'a minimal script: node:https, one clipboard command',
  command: [node, file('minimal.mjs')],
};
const commands: Command[] = [
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
  minimal,
];
const times = new Map<Command, number[]>(commands.map((command) => [command, []]));

const tls = await createCertificate('localhost');
writeFileSync(ca, tls.cert);
const server = await startMockZoom(async (...request) => {
  await sleep(150);
  respondLikeZoom(...request);
}, tls);
const settings = { ...ACCOUNT, ZOOM_HOST: `https://localhost:${server.port}`, NODE_EXTRA_CA_CERTS: ca };

/** Returns what the script says if it cannot copy a token. In that case, the times would not be comparable. */
async function explainMissingClipboard(): Promise<string | undefined> {
  const env = { ...process.env, ...settings };
  const child = spawn(node, [...process.execArgv, file('../s2s.ts')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  return /^Cannot use the clipboard .*/m.exec(await text(child.stderr))?.[0];
}

/** Runs a command and returns how many milliseconds it took. */
async function time({ name, command: [program = '', ...args], env, cwd = file('..') }: Command): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...settings, ...env },
    stdio: 'ignore',
    shell: process.platform === 'win32' && /^np[mx]$/.test(program), // npm.cmd, npx.cmd
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${name}: exit code ${code}`);
  return performance.now() - started;
}

/** Runs each command in turn, so that whatever else is running slows all of them down, and prints the medians. */
async function measure(): Promise<void> {
  for (const command of commands) await time(command); // Fill caches.
  for (let round = 0; round < rounds; round++) for (const [command, ms] of times) ms.push(await time(command));
  console.log(`| Node ${process.version}, ${rounds} rounds | median | relative time |\n| --- | --- | --- |`);
  for (const command of commands) {
    const ms = median(command);
    console.log(`| ${command.name} | ${ms.toFixed(0)} ms | ${(ms / median(minimal)).toFixed(2)} |`);
  }
}

const median = (command: Command) => times.get(command)!.toSorted((a, b) => a - b)[rounds >> 1] ?? NaN;

try {
  console.error(`This copies a mock token to your clipboard ${commands.length * (rounds + 1) + 1} times.`);
  const problem = await explainMissingClipboard();
  if (problem) {
    console.error(`${problem}\nRun this where the script can copy the token, such as in a desktop session.`);
    process.exitCode = 1;
  } else {
    await measure();
  }
} finally {
  server.close();
  rmSync(temporary, { recursive: true });
}
