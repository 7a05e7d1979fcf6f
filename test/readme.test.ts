/** The README: its commands run as written, it quotes the script's messages, and its picture is true. See `npm run picture`. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import xterm from '@xterm/headless';
import { fakeClipboard } from './clipboard.ts';
import { ACCOUNT, DOTENV, type Handler, TOKEN, respondWith } from './mock-zoom.ts';
import { S2S_QUOTED, folder, root, run, withCredentials } from './script.ts';
import { ownMockZoom } from './servers.ts';
import { isWindows, skipWithoutBash, skipWithoutFakeClipboard, skipWithoutTypeStripping } from './skip.ts';
import { inTerminal, session } from './terminal.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
/** Each paragraph of each code block. */
const paragraphs = [...readme.matchAll(/^```sh\n(.*?)\n```$/gms)].flatMap(([, block = '']) => block.split('\n\n'));

/** Replaces commands that need the npm registry, Zoom's API, a remote machine, or a password manager. */
const FAKES = `
  npm() { case "$*" in install | 'ci --omit=dev') ;; link) command npm link ;; *) false ;; esac; }
  curl() { test "$1 $3" = "--oauth2-bearer https://api.zoom.us/v2/users" && echo "$2"; }
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
  { start: '# In a container', isScript: true, tokens: 1, skip: skipWithoutTypeStripping },
];

const skipOnWindows = isWindows && 'Windows has no POSIX shell';
describe('a command in the README', { concurrency: 2, skip: skipOnWindows || skipWithoutBash }, () => {
  it('is listed here', () => {
    const starts = EXPECTED.map(({ start }) => start);
    const actual = paragraphs.map((text, i) => text.slice(0, starts[i]?.length));
    assert.deepEqual(actual, starts);
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
  const messages = [...readme.matchAll(/^\| `(… "(.*)".*?)` +\|/gm)];
  it('has rows for rejections', () => assert.equal(messages.length, 2));

  for (const [, text = '', reason = ''] of messages)
    it(`shows a message of the script: ${text}`, async () => {
      const result = await run({ env: withCredentials(await ownMockZoom(respondWith(400, { reason }))) });
      const expected = text.replace('…', 'Zoom rejected the request:').replace('(…)', '(400)');
      assert.equal(result.stderr.split('\n')[0], expected);
      assert.equal(result.code, 1);
    });
});

const file = new URL('../.github/first-run.svg', import.meta.url);
const [WIDTH, HEIGHT] = [8.4, 18];
/** The terminal's red, green, cyan, and gray. */
const COLORS: Record<number, string> = { 1: '#ff7b72', 2: '#3fb950', 6: '#39c5cf', 8: '#8b949e' };
const FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/** Returns an SVG image of what a terminal shows. */
async function draw(bytes: string): Promise<string> {
  const screen = new xterm.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
  await new Promise<void>((done) => screen.write(bytes, done));
  const { active: buffer } = screen.buffer;
  const rows = Array.from({ length: buffer.baseY + buffer.cursorY }, (_, y) => {
    const runs: { x: number; style: string; text: string }[] = [];
    for (let x = 0; x < screen.cols; x++) {
      const cell = buffer.getLine(y)!.getCell(x)!;
      const style = `fill="${COLORS[cell.getFgColor()] ?? '#e6edf3'}"${cell.isBold() ? ' font-weight="bold"' : ''}`;
      if (runs.at(-1)?.style !== style) runs.push({ x, style, text: '' });
      runs.at(-1)!.text += cell.getChars() || ' ';
    }
    const visible = runs.map((run) => ({ ...run, text: run.text.trimEnd() })).filter(({ text }) => text);
    return visible.map(({ x, style, text }) => {
      const [left, length] = [x + 2, text.length].map((columns) => (columns * WIDTH).toFixed(1));
      const escaped = text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);
      return `<text x="${left}" y="${(y + 2) * HEIGHT}" textLength="${length}" ${style}>${escaped}</text>\n`;
    });
  });
  const [width, height] = [(screen.cols + 4) * WIDTH, (rows.length + 2) * HEIGHT];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="14" xml:space="preserve">
<rect width="${width}" height="${height}" rx="8" fill="#0d1117" stroke="#8b949e"/>
${rows.flat().join('')}</svg>
`;
}

const skip = inTerminal.skip || skipWithoutFakeClipboard;
it('matches the picture in the README on a first run', { skip }, async () => {
  const cwd = folder();
  for (const name of ['s2s.ts', 'package.json', 'node_modules']) symlinkSync(join(root, name), join(cwd, name));
  const npm = { npm_config_loglevel: 'silent', npm_config_update_notifier: 'false' };
  const env = { ...fakeClipboard(), ...npm, ZOOM_HOST: (await ownMockZoom()).url };
  const { raw } = await session({ cwd, command: ['sh', '-c', "echo '$ npx tsx s2s.ts'; npx tsx s2s.ts"], env });
  // The line may be wrapped before the path.
  const text = raw.replace(/at \d\d:\d\d/, 'at 15:04').replace(new RegExp(`\\s+${cwd}`), ' /home/me/s2s');
  const svg = await draw(text);
  if (process.argv.includes('draw')) writeFileSync(file, svg);
  assert.equal(svg, readFileSync(file, 'utf8'), 'npm run picture redraws it');
});
