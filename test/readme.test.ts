/** The README: its commands are run as written, and each row of its table is what the script says, with that exit code. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type Result,
  Terminal,
  configured,
  folder,
  inTerminal,
  lacking,
  ownStandIn,
  root,
  run,
  typeAccountId,
} from './helpers.ts';
import { DOTENV, TOKEN, json } from './stand-in.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** What can be typed, a paragraph at a time. */
const commands = [...readme.matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, block = '']) => block.split('\n\n'));

/** What only a fresh clone can show: CI and a person run it. */
const BY_HAND = ['npm cit'];

/** What is not on this machine: the registry, Zoom's API, a server, a password manager. */
const ELSEWHERE = `
  npm() { test "$*" = install; }
  curl() { echo "$2" "$3"; }
  ssh() { cd; sh -c "$3"; }
  op() { "\${@:3}"; }
`;

describe('a command in the README', { concurrency: 2, skip: lacking('bash --version') }, () => {
  for (const command of commands.filter((command) => !BY_HAND.includes(command))) {
    const cannot = /\bnode ~/.test(command) && !process.features.typescript;
    const skip = cannot && `Node ${process.version} does not strip types`;
    it(`gets a token: ${command.replaceAll('\n', '; ')}`, { skip }, async () => {
      const HOME = folder();
      const { url } = await ownStandIn();
      mkdirSync(join(HOME, 's2s'));
      for (const name of ['s2s.ts', 'package.json', 'node_modules'])
        symlinkSync(join(root, name), join(HOME, 's2s', name));
      const file = /DOTENV_PATH=(?:~\/s2s\/)?(\S+)/.exec(command)?.[1] ?? '.env';
      writeFileSync(join(HOME, 's2s', file), DOTENV);
      const alias = command.startsWith('alias s2s=') ? 's2s' : '';
      const cd = alias || command.includes('\ncd s2s\n') ? 'cd' : 'cd ~/s2s';
      const script = [ELSEWHERE, cd, command, alias].join('\n');
      const { code, stdout, stderr } = await run({
        command: ['bash', '-e', '-O', 'expand_aliases', '-c', script],
        env: { HOME, ZOOM_HOST: url, npm_config_update_notifier: 'false' },
      });
      assert.equal(code, 0, stderr);
      assert.equal(stdout.split(TOKEN).length, command.split('s2s.ts').length, stdout);
    });
  }
});

const rows = [...readme.matchAll(/^\| `([^`|]+)` +\| (\d+) +\|/gm)].map(([, says = '', code]) => ({
  says,
  code: Number(code),
}));
const refusing = (reason: string) => async () =>
  run({ env: configured(await ownStandIn((response) => json(response, 400, { reason }))) });

/** A day on which each row is said, by the beginning of the row. */
const days: Record<string, () => Promise<Pick<Result, 'code' | 'stderr'>>> = {
  'Zoom refused: "Invalid': refusing('Invalid client_id or client_secret'),
  'Zoom refused: "Bad': refusing('Bad Request'),
  'Zoom refused: "unsupported': refusing('unsupported grant type'),
  'Zoom refused: "The app': refusing('The app has been disabled'),
  'Cannot save': async () => {
    const cwd = folder();
    mkdirSync(join(cwd, '.env'));
    const terminal = await typeAccountId(await ownStandIn(), { cwd });
    return { code: await terminal.end(), stderr: terminal.screen.slice(terminal.screen.indexOf('Cannot save')) };
  },
  'No clipboard here': async () => {
    const terminal = new Terminal({ env: configured(await ownStandIn()) });
    return { code: await terminal.end(), stderr: terminal.screen.slice(terminal.screen.indexOf('No clipboard')) };
  },
};

/** Why a day cannot be had on every machine. */
const skip: Record<string, string | false> = { 'Cannot save': inTerminal.skip, 'No clipboard here': inTerminal.skip };

describe('the table in the README', { concurrency: 2 }, () => {
  it('has a row for each of these days, and a day for each row', () => {
    const begins = Object.keys(days);
    assert.deepEqual(
      rows.map(({ says }) => begins.findIndex((begin) => says.startsWith(begin))),
      begins.map((_, i) => i),
    );
  });

  for (const { says, code } of rows) {
    const [begin = '', day = assert.fail] = Object.entries(days).find(([begin]) => says.startsWith(begin)) ?? [];
    it(`is right: ${says}`, { skip: skip[begin] ?? false }, async () => {
      const result = await day();
      const [line = ''] = result.stderr.split('\n');
      let at = 0;
      for (const words of says.split('…')) {
        const found = line.indexOf(words, at);
        assert.ok(at ? found >= at : found === 0, `${words} in ${line}`);
        at = found + words.length;
      }
      assert.equal(result.code, code);
    });
  }
});
