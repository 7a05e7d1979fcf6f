/**
 * `npm run demo [-- --json]`: runs the script against a mock Zoom server. In a terminal, shows a first and a later run,
 * and keeps the server running until Enter is pressed.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { likeZoom, startMockZoom } from './mock-zoom.ts';

const MADE_UP = {
  ZOOM_ACCOUNT_ID: 'dEmo_aCcOuNt-012345678',
  ZOOM_CLIENT_ID: 'dEmo_cLiEnT-0123456789',
  ZOOM_CLIENT_SECRET: 'dEmOsEcReT0123456789abcdefghijkl',
};
const NONE = { ZOOM_ACCOUNT_ID: '', ZOOM_CLIENT_ID: '', ZOOM_CLIENT_SECRET: '' };
const flags = process.argv.slice(2);
const server = await startMockZoom(likeZoom(MADE_UP));
const cwd = mkdtempSync(join(tmpdir(), 's2s-demo-'));

/** Runs the script in the temporary folder, and takes over its exit code. */
async function run(credentials: typeof MADE_UP): Promise<void> {
  const script = join(import.meta.dirname, '../s2s.ts');
  const env = { ...process.env, ...credentials, CI: '', DOTENV_PATH: '', NODE_ENV: '', ZOOM_HOST: server.url };
  const child = spawn(process.execPath, [...process.execArgv, script, ...flags], { cwd, stdio: 'inherit', env });
  const [code] = await once(child, 'exit');
  process.exitCode = code ?? 1;
}

process.on('SIGINT', () => {}); // Leave Ctrl-C to the script.
try {
  console.error('Demo: tokens from this mock server do not work with Zoom.');
  console.error('Without a flag, they are copied to your clipboard, like real ones.');
  if (process.stdin.isTTY && process.stderr.isTTY) {
    const commandLine = ['$ npx tsx s2s.ts', ...flags].join(' ');
    console.error(`Paste these three lines at the first prompt:\n\n${Object.values(MADE_UP).join('\n')}\n`);
    console.error(`This is a first run:\n${commandLine}`);
    await run(NONE);
    if (existsSync(join(cwd, '.env'))) {
      console.error(`\nLater runs do not prompt:\n${commandLine}`);
      await run(NONE);
      console.error('\nUntil you press Enter here, another terminal can run s2s with these variables:');
      console.error(`DOTENV_PATH=${join(cwd, '.env')} ZOOM_HOST=${server.url}`);
      await Promise.race([once(process.stdin, 'data'), once(process, 'SIGINT')]);
      process.stdin.pause();
    }
  } else await run(MADE_UP);
} finally {
  server.close();
  rmSync(cwd, { recursive: true });
}
