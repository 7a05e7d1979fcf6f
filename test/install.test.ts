/** The command `s2s`, which npm makes from the script. */

import assert from 'node:assert/strict';
import { copyFileSync, existsSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { it } from 'node:test';
import { TOKEN } from './mock-zoom.ts';
import { expectRun, folder, root, run, withCredentials } from './script.ts';
import { ownMockZoom } from './servers.ts';
import { isWindows as shell, skipWithoutFolderLinks, skipWithoutTypeStripping } from './skip.ts';

const skip = skipWithoutFolderLinks || skipWithoutTypeStripping;
it('gets a token with s2s in another folder after npm install --global', { skip }, async () => {
  const [cwd, prefix] = [folder(), folder()];
  // Install a copy, because npm sets the mode and the line ending of what becomes a command.
  for (const name of ['s2s.ts', 'package.json']) copyFileSync(join(root, name), join(cwd, name));
  symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules'), 'junction');
  const PATH = [dirname(process.execPath), prefix, join(prefix, 'bin'), process.env['PATH']].join(delimiter);
  const S2S_DESTINATIONS = join(prefix, 'destinations');
  const env = { PATH, S2S_DESTINATIONS, npm_config_update_notifier: 'false' };
  // On Windows, use a shell to run npm.cmd and s2s.cmd.
  const command = ['npm', 'install', '--global', '--prefix', prefix, '.'];
  expectRun(await run({ command, cwd, env, shell }), { code: 0, stderr: '' });
  assert.ok(!existsSync(S2S_DESTINATIONS), 'npm must not connect to anything');
  const result = await run({ command: ['s2s', '--token'], env: withCredentials(await ownMockZoom(), { PATH }), shell });
  expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
});
