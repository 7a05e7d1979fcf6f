/** The command `s2s`, which npm makes from the script. */

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { it } from 'node:test';
import { expectRun, folder, noFolderLinks, ownMockZoom, root, run, withCredentials } from './helpers.ts';
import { TOKEN } from './mock-zoom.ts';

const skip = noFolderLinks || (!process.features.typescript && `Node ${process.version} does not strip types`);
it('gets a token with s2s in another folder after npm install --global', { skip }, async () => {
  const isWindows = process.platform === 'win32';
  const [cwd, prefix] = [folder(), folder()];
  // Install a copy, because npm sets the mode and the line ending of what becomes a command.
  for (const name of ['s2s.ts', 'package.json']) copyFileSync(join(root, name), join(cwd, name));
  symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules'), 'junction');
  const PATH = [dirname(process.execPath), isWindows ? prefix : join(prefix, 'bin'), process.env['PATH']].join(
    delimiter,
  );
  const S2S_DESTINATIONS = join(prefix, 'destinations');
  const shell = isWindows; // Runs npm.cmd and s2s.cmd.

  const command = ['npm', 'install', '--global', '--prefix', prefix, '.'];
  const env = { PATH, S2S_DESTINATIONS, npm_config_update_notifier: 'false' };
  expectRun(await run({ command, cwd, env, shell }), { code: 0, stderr: '' });
  assert.ok(!existsSync(S2S_DESTINATIONS), 'npm must not connect to anything');

  const result = await run({ command: ['s2s', '--token'], env: withCredentials(await ownMockZoom(), { PATH }), shell });
  expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
});
