/** The README: its commands run as written and fail safely, and it quotes the messages of the script. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fakeClipboard } from './clipboard.ts';
import { ACCOUNT, DOTENV, type Handler, TOKEN, respondWith } from './mock-zoom.ts';
import { S2S_QUOTED, folder, root, run, withCredentials } from './script.ts';
import { ownMockZoom } from './servers.ts';
import { isWindows, skipWithoutBash, skipWithoutTypeStripping } from './skip.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
/** Each paragraph of each code block. */
const paragraphs = [...readme.matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, block = '']) => block.split('\n\n'));

/** Replaces commands that need the npm registry, Zoom's API, a remote machine, or a password manager. */
const FAKES = `
  npm() { case "$*" in install | 'ci --omit=dev') ;; link) command npm link ;; *) false ;; esac; }
  curl() { test "$1 $3" = "-H https://api.zoom.us/v2/users" && echo "$2"; }
  ssh() { test "$1 $2" = "-t server" && cd && sh -c "$3"; }
  op() { test "$1 $2 $3" = "run --env-file=.env --" && shift 3 && "$@"; }
`;
/** Replaces the command that `npm link` makes. */
const FAKE_S2S = `s2s() { ${S2S_QUOTED} "$@"; }`;

/** Runs some lines of shell in ~/s2s. Returns the exit code, what is printed and copied, and the messages. */
async function runInShell(shell: string, lines: string[], zoom?: Handler) {
  const [HOME, npmPrefix] = [folder(), folder()];
  const cwd = join(HOME, 's2s');
  mkdirSync(cwd);
  // Copy the script, because `npm link` sets its mode and line endings.
  for (const name of ['s2s.ts', 'package.json']) copyFileSync(join(root, name), join(cwd, name));
  symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules'));
  const setsEnvironment = lines.some((line) => /in the environment$/m.test(line));
  if (!setsEnvironment) writeFileSync(join(cwd, '.env'), DOTENV);
  const COPY = join(HOME, 'copy');
  const clipboard = fakeClipboard('cat >> "$COPY"');
  const [fakes] = clipboard['PATH']!.split(delimiter);
  const env = {
    ...(setsEnvironment && ACCOUNT),
    ...{ ...clipboard, COPY, HOME, npm_config_prefix: npmPrefix, npm_config_update_notifier: 'false' },
    PATH: [join(npmPrefix, 'bin'), fakes, dirname(process.execPath), process.env['PATH']].join(delimiter),
    ZOOM_HOST: (await ownMockZoom(zoom)).url,
  };
  const { code, stdout, stderr } = await run({ command: [shell, '-euc', lines.join('\n')], cwd, env });
  return { code, output: stdout + (existsSync(COPY) ? readFileSync(COPY, 'utf8') : ''), stderr };
}

// On Debian, sh is dash.
const SHELLS = ['sh', 'bash'].filter((shell) => spawnSync(shell, ['-c', ':']).status === 0);
/** Uses the command that `npm link` made, and then, in another folder, the alias. */
const USE_BOTH = 'command s2s --token; cd /; s2s';
/** What to run after a paragraph, to use what it sets, and how many times the token is then printed or copied. */
const EXPECTED: { start: string; isScript: boolean; use?: string; tokens: number; skip?: string | false }[] = [
  { start: 'cd ~/s2s', isScript: false, tokens: 2 },
  { start: 'npm link', isScript: false, use: USE_BOTH, tokens: 3, skip: skipWithoutTypeStripping },
  { start: '# Call the API', isScript: true, use: 'env | grep ^ZOOM_ACCESS_TOKEN=', tokens: 2 },
  { start: '# Copy', isScript: true, tokens: 2, skip: skipWithoutTypeStripping },
  { start: '# Take', isScript: true, tokens: 2 },
  { start: '# In a copy', isScript: true, tokens: 1, skip: skipWithoutTypeStripping },
];

const skipOnWindows = isWindows && 'Windows has no POSIX shell';
describe('a command in the README', { concurrency: 2, skip: skipOnWindows || skipWithoutBash }, () => {
  it('is listed here', () => {
    const starts = EXPECTED.map(({ start }) => start);
    assert.deepEqual(
      paragraphs.map((text, i) => text.slice(0, starts[i]?.length)),
      starts,
    );
  });

  for (const [i, { start, isScript, use = '', tokens, skip = false }] of EXPECTED.entries())
    it(`gets a token or fails safely, in each shell that is installed: ${start}`, { skip }, async () => {
      for (const shell of isScript ? SHELLS : ['bash']) {
        const lines = [FAKES, isScript ? FAKE_S2S : 'shopt -s expand_aliases', paragraphs[i]!];
        const { code, output, stderr } = await runInShell(shell, [...lines, use]);
        assert.deepEqual({ code, tokens: output.split(TOKEN).length - 1 }, { code: 0, tokens }, output + stderr);
        if (!isScript) continue;
        const rejected = await runInShell(shell, lines, respondWith(400, { reason: 'Bad Request' }));
        assert.deepEqual({ ...rejected, stderr: '' }, { code: 1, output: '', stderr: '' }, rejected.stderr);
      }
    });
});

describe('the table of messages in the README', { concurrency: 2 }, () => {
  const messages = [...readme.matchAll(/^\| `(… "(.*)".*?)` +\|/gm)].map(([, text = '', reason = '']) => ({
    text,
    reason,
  }));
  it('has rows for rejections', () => assert.equal(messages.length, 2));

  for (const { text, reason } of messages)
    it(`shows a message of the script: ${text}`, async () => {
      const result = await run({ env: withCredentials(await ownMockZoom(respondWith(400, { reason }))) });
      const expected = text.replace('…', 'Zoom rejected the request:').replace('(…)', '(400)');
      assert.equal(result.stderr.split('\n')[0], expected);
      assert.equal(result.code, 1);
    });
});
