/**
 * `npm run bench`: measures the total run time of each way to run the script, over TLS, with a mock server that takes 150
 * ms to respond. Runs each S2S_ROUNDS times (15 by default), and uses your clipboard.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ACCOUNT, createCertificate, respondLikeZoom, startMockZoom } from './mock-zoom.ts';

const rounds = Number(process.env['S2S_ROUNDS'] ?? 15);
const temporary = mkdtempSync(join(tmpdir(), 's2s-bench-'));
const NODE_COMPILE_CACHE = join(temporary, 'cache');
const NODE_EXTRA_CA_CERTS = join(temporary, 'ca.pem');
const node = process.execPath;
const commands: { name: string; command: string[]; env?: Record<string, string> }[] = [
  { name: 'a minimal script', command: [node, 'test/minimal.mjs'] },
  { name: '`npx tsx s2s.ts`', command: ['npx', 'tsx', 's2s.ts'] },
  { name: '`node s2s.ts`', command: [node, 's2s.ts'] },
  { name: '`node s2s.ts` with NODE_COMPILE_CACHE', command: [node, 's2s.ts'], env: { NODE_COMPILE_CACHE } },
];

const tls = await createCertificate('localhost');
writeFileSync(NODE_EXTRA_CA_CERTS, tls.cert);
const server = await startMockZoom((...request) => void sleep(150).then(() => respondLikeZoom(...request)), tls);
const settings = { ...process.env, ...ACCOUNT, ZOOM_HOST: `https://localhost:${server.port}`, NODE_EXTRA_CA_CERTS };

/** Runs a command, which must print and copy a token. Returns how many milliseconds it took. */
async function time({ name, command: [file = '', ...args], env }: (typeof commands)[number]): Promise<number> {
  const started = performance.now();
  const options = { cwd: join(import.meta.dirname, '..'), env: { ...settings, ...env } };
  const shell = process.platform === 'win32' && file === 'npx';
  const child = spawn(file, args, { ...options, shell, stdio: ['ignore', 'ignore', 'pipe'] });
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  if (code !== 0 || /clipboard:|your terminal/.test(stderr)) throw new Error(`${name} did not copy a token: ${stderr}`);
  return performance.now() - started;
}

const times = commands.map(() => [] as number[]);
// Run the commands in turn, so that whatever else is running slows all of them down. The first round fills caches.
for (let round = 0; round <= rounds; round++)
  for (const [nth, command] of commands.entries()) times[nth]!.push(await time(command));
const medians = times.map((ms) => ms.slice(1).sort((a, b) => a - b)[rounds >> 1]!);
for (const [nth, { name }] of commands.entries())
  console.log(`${medians[nth]!.toFixed()} ms, ${(medians[nth]! / medians[0]!).toFixed(2)} times as long: ${name}`);
server.close();
