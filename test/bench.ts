/**
 * `npm run bench [-- other.js]`: measures the total run time of each way to run the script, over TLS, with a mock server
 * that takes 150 ms to respond. Runs each S2S_ROUNDS times (15 by default), and uses your clipboard.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ACCOUNT, createCertificate, respondLikeZoom, startMockZoom } from './mock-zoom.ts';

const rounds = Number(process.env['S2S_ROUNDS'] ?? 15);
const node = process.execPath;
const root = join(import.meta.dirname, '..');
const temporary = mkdtempSync(join(tmpdir(), 's2s-bench-'));
const withCache = { NODE_COMPILE_CACHE: join(temporary, 'cache') };

type Command = { name: string; command: string[]; env?: Record<string, string>; cwd?: string };
const minimal = { name: 'a minimal script', command: [node, join(import.meta.dirname, 'minimal.mjs')] };
const commands: Command[] = [
  minimal,
  { name: '`npx tsx s2s.ts`', command: ['npx', 'tsx', 's2s.ts'] },
  { name: '`npm start`', command: ['npm', '--silent', 'start'] },
];
if (process.features.typescript) {
  commands.push({ name: '`node s2s.ts`', command: [node, 's2s.ts'] });
  commands.push({ name: '`node s2s.ts` with NODE_COMPILE_CACHE', command: [node, 's2s.ts'], env: withCache });
}
for (const path of process.argv.slice(2))
  commands.push({ name: `\`node ${basename(path)}\``, command: [node, resolve(path)], cwd: dirname(resolve(path)) });

const tls = await createCertificate('localhost');
const NODE_EXTRA_CA_CERTS = join(temporary, 'ca.pem');
writeFileSync(NODE_EXTRA_CA_CERTS, tls.cert);
const server = await startMockZoom((...request) => void sleep(150).then(() => respondLikeZoom(...request)), tls);
const settings = { ...process.env, ...ACCOUNT, ZOOM_HOST: `https://localhost:${server.port}`, NODE_EXTRA_CA_CERTS };

/** Runs a command, which must print and copy a token. Returns how many milliseconds it took. */
async function time({ name, command: [file = '', ...args], env, cwd = root }: Command): Promise<number> {
  const started = performance.now();
  const shell = process.platform === 'win32' && /^np[mx]$/.test(file); // npm.cmd, npx.cmd
  const child = spawn(file, args, { cwd, env: { ...settings, ...env }, shell, stdio: ['ignore', 'ignore', 'pipe'] });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  if (code !== 0 || /clipboard:|your terminal/.test(stderr)) throw new Error(`${name} did not copy a token: ${stderr}`);
  return performance.now() - started;
}

try {
  const times = new Map(commands.map((command) => [command, [] as number[]]));
  for (const command of commands) await time(command); // Fill caches.
  // Run the commands in turn, so that whatever else is running slows all of them down.
  for (let round = 0; round < rounds; round++) for (const [command, ms] of times) ms.push(await time(command));
  const median = (command: Command) => times.get(command)!.sort((a, b) => a - b)[rounds >> 1]!;
  console.log(`| Node ${process.version}, ${rounds} rounds | median | relative time |\n| --- | --- | --- |`);
  for (const command of commands) {
    const relative = median(command) / median(minimal);
    console.log(`| ${command.name} | ${median(command).toFixed(0)} ms | ${relative.toFixed(2)} |`);
  }
} finally {
  server.close();
  rmSync(temporary, { recursive: true });
}
