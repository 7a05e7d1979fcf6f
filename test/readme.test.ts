/** The README: its commands run as written, and the messages and exit codes in its table are right. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** Holds each paragraph of each code block. */
const commands = [...readme.matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, block = '']) => block.split('\n\n'));

/** Holds commands that CI runs, in a fresh clone. */
const RUN_BY_CI = ['npm cit'];

/** Replaces commands that need the npm registry, Zoom's API, a remote machine, or a password manager. */
const FAKES = `
  npm() { test "$*" = install; }
  curl() { echo "$2" "$3"; }
  ssh() { cd; sh -c "$3"; }
  op() { "\${@:3}"; }
`;

describe('a command in the README', { concurrency: 2, skip: skipUnless('bash --version') }, () => {
  for (const command of commands.filter((command) => !RUN_BY_CI.includes(command))) {
    const needsTypeStripping = /\bnode ~/.test(command) && !process.features.typescript;
    const skip = needsTypeStripping && `Node ${process.version} does not strip types`;
    it(`gets a token with a command in the README: ${command.replaceAll('\n', '; ')}`, { skip }, async () => {
      const HOME = folder();
      const { url } = await ownMockZoom();
      mkdirSync(join(HOME, 's2s'));
      for (const name of ['s2s.ts', 'package.json', 'node_modules'])
        symlinkSync(join(root, name), join(HOME, 's2s', name));
      const file = /DOTENV_PATH=(?:~\/s2s\/)?(\S+)/.exec(command)?.[1] ?? '.env';
      writeFileSync(join(HOME, 's2s', file), DOTENV);
      const alias = command.startsWith('alias s2s=') ? 's2s' : '';
      const cd = alias || command.includes('\ncd s2s\n') ? 'cd' : 'cd ~/s2s';
      const script = [FAKES, cd, command, alias].join('\n');
      const { code, stdout, stderr } = await run({
        command: ['bash', '-e', '-O', 'expand_aliases', '-c', script],
        env: { HOME, ZOOM_HOST: url, npm_config_update_notifier: 'false' },
      });
      assert.equal(code, 0, stderr);
      assert.equal(stdout.split(TOKEN).length, command.split('s2s.ts').length, stdout);
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
  'Zoom refused: "Invalid': rejection('Invalid client_id or client_secret'),
  'Zoom refused: "Bad': rejection('Bad Request'),
  'Zoom refused: "unsupported': rejection('unsupported grant type'),
  'Zoom refused: "The app': rejection('The app has been disabled'),
  'Cannot save': {
    ...inTerminal,
    async run() {
      const cwd = folder();
      mkdirSync(join(cwd, '.env'));
      const { screen } = await session({ cwd, env: withoutAccountId(await ownMockZoom()) });
      return { code: 0, stderr: screen.slice(screen.indexOf('Cannot save')) };
    },
  },
  'No clipboard here': {
    ...inTerminal,
    async run() {
      const { screen } = await session({ env: withCredentials(await ownMockZoom()) });
      return { code: 0, stderr: screen.slice(screen.indexOf('No clipboard')) };
    },
  },
};

describe('the table in the README', { concurrency: 2 }, () => {
  it('has one row in the README for each scenario of this test, in the same order', () => {
    const beginnings = Object.keys(scenarios);
    const found = rows.map(({ message }) => beginnings.find((beginning) => message.startsWith(beginning)));
    assert.deepEqual(found, beginnings);
  });

  for (const { message, code } of rows) {
    const [, scenario] = Object.entries(scenarios).find(([beginning]) => message.startsWith(beginning)) ?? [];
    it(`shows a message and its exit code in the README: ${message}`, { skip: scenario?.skip ?? false }, async () => {
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
