/** The README: its commands run as written, and the messages and exit codes in its table are right. */

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type Result,
  folder,
  inTerminal,
  ownMockZoom,
  root,
  run,
  session,
  skipUnless,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import { DOTENV, TOKEN, respondWith } from './mock-zoom.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Each paragraph of each code block. */
const commands = [...readme.matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, block = '']) => block.split('\n\n'));

/** Replaces commands that need the npm registry, Zoom's API, a remote machine, or a password manager. */
const FAKES = `
  npm() { case $* in install) ;; link) command npm link;; *) false;; esac; }
  curl() { echo "$2" "$3"; }
  ssh() { cd; sh -c "$3"; }
  op() { test "$1 $2 $3" = 'run --env-file=.env --'; "\${@:4}"; }
`;

describe('a command in the README', { concurrency: 2, skip: skipUnless('bash --version') }, () => {
  for (const command of commands) {
    const lacksTypeStripping = /\bnode ~|npm link/.test(command) && !process.features.typescript;
    const skip = lacksTypeStripping && `Node ${process.version} does not strip types`;
    it(`gets a token: ${command.replaceAll('\n', '; ')}`, { skip }, async () => {
      const HOME = folder();
      const { url } = await ownMockZoom();
      mkdirSync(join(HOME, 's2s'));
      // Copy the script, because `npm link` sets its mode and line endings.
      for (const name of ['s2s.ts', 'package.json']) copyFileSync(join(root, name), join(HOME, 's2s', name));
      symlinkSync(join(root, 'node_modules'), join(HOME, 's2s', 'node_modules'), 'junction');
      const file = /DOTENV_PATH=(?:~\/s2s\/)?(\S+)/.exec(command)?.[1] ?? '.env';
      writeFileSync(join(HOME, /~\/s2s\/node_modules/.test(command) ? '' : 's2s', file), DOTENV);
      // If the command only sets a variable or an alias, use that, too. Start in the home folder if the command names
      // ~/s2s, otherwise in ~/s2s.
      const variable = /^export (\w+)=/m.exec(command)?.[1];
      const use = variable ? `echo "$${variable}"` : /^alias s2s=/m.test(command) ? 's2s' : '';
      const start = /^cd s2s$|~\/s2s/m.test(command) ? 'cd' : 'cd ~/s2s';
      const npmPrefix = folder(); // Where `npm link` installs the command.
      const { code, stdout, stderr } = await run({
        command: ['bash', '-e', '-O', 'expand_aliases', '-c', [FAKES, start, command, use].join('\n')],
        env: {
          HOME,
          PATH: [npmPrefix, join(npmPrefix, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
          ZOOM_HOST: url,
          npm_config_prefix: npmPrefix,
          npm_config_update_notifier: 'false',
        },
      });
      assert.equal(code, 0, stderr);
      assert.equal(stdout.split(TOKEN).length, 2, stdout);
    });
  }
});

const rows = [...readme.matchAll(/^\| `([^`|]+)` +\| (\d+) +\|/gm)].map(([, message = '', code]) => ({
  message,
  code: Number(code),
}));

type Scenario = { skip?: string | false; run: () => Promise<Pick<Result, 'code' | 'stderr'>> };
const rejection = (reason: string): Scenario => ({
  run: async () => run({ env: withCredentials(await ownMockZoom(respondWith(400, { reason }))) }),
});

/** Produces the message of each row. The keys are how these messages begin. */
const scenarios: Record<string, Scenario> = {
  'Zoom rejected the request: "Invalid': rejection('Invalid client_id or client_secret'),
  'Zoom rejected the request: "Bad': rejection('Bad Request'),
  'Zoom rejected the request: "unsupported': rejection('unsupported grant type'),
  'Zoom rejected the request: "The app': rejection('The app has been disabled'),
  'Cannot save': {
    ...inTerminal,
    async run() {
      const cwd = folder();
      mkdirSync(join(cwd, '.env'));
      const { screen } = await session({ cwd, env: withoutAccountId(await ownMockZoom()) });
      return { code: 0, stderr: screen.slice(screen.indexOf('Cannot save')) };
    },
  },
  'Cannot use the clipboard': {
    ...inTerminal,
    async run() {
      const { screen } = await session({ env: withCredentials(await ownMockZoom()) });
      return { code: 0, stderr: screen.slice(screen.indexOf('Cannot use')) };
    },
  },
};

describe('the table of messages in the README', { concurrency: 2 }, () => {
  it('has one row for each scenario of this test, in the same order', () => {
    const beginnings = Object.keys(scenarios);
    const found = rows.map(({ message }) => beginnings.find((beginning) => message.startsWith(beginning)));
    assert.deepEqual(found, beginnings);
  });

  for (const { message, code } of rows) {
    const [, scenario] = Object.entries(scenarios).find(([beginning]) => message.startsWith(beginning)) ?? [];
    it(`shows a message and its exit code: ${message}`, { skip: scenario?.skip ?? false }, async () => {
      const result = await scenario!.run();
      // An ellipsis stands for any text.
      const pattern = message
        .split('…')
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*');
      assert.match(result.stderr.split('\n')[0] ?? '', new RegExp(`^${pattern}`));
      assert.equal(result.code, code);
    });
  }
});
