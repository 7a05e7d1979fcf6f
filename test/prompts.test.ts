/** Prompts: when they appear, what they say, and how they take what is typed and pasted. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'dotenv';
import { ACCOUNT, DOTENV, TOKEN_RESPONSE, respondLikeZoom, respondWith } from './mock-zoom.ts';
import { S2S, S2S_WITHOUT_TSX, dotenv, expectRun, files, folder, notSet, run } from './script.ts';
import { setByEnvironment, withCredentials, withoutAccountId } from './script.ts';
import { ownMockZoom, sharedMockZoom } from './servers.ts';
import { isWindows } from './skip.ts';
import { POINTER, Terminal, inTerminal, inTerminalWithCtrlC, inUnixTerminal } from './terminal.ts';
import { redirecting, session } from './terminal.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;
const ALL = 'ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET';
const PAGE = 'https://marketplace.zoom.us/ under Developer (or Manage) > Created apps > your app > App Credentials';
const NO_PROMPT = 's2s prompts only if stdin and stderr are terminals, and neither CI nor TERM=dumb is set.';
const KEEP = 'Press Enter to keep a value, or type another';
const PART_OF_SECRET = ZOOM_CLIENT_SECRET.slice(0, 9);
const withCtrlC = await inTerminalWithCtrlC();

/** Returns the character that a terminal sends for a letter and Ctrl. */
const ctrl = (letter: string) => String.fromCharCode(letter.charCodeAt(0) & 0x1f);

describe('the script', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();
  const host = () => ({ ZOOM_HOST: zoom.url });
  const withoutSecret = () => withCredentials(zoom, { ZOOM_CLIENT_SECRET: undefined });

  for (const cols of [80, 60])
    it(`says what is missing and where to find it, in ${cols} columns`, inUnixTerminal, async () => {
      const terminal = new Terminal({ env: { ...host(), DOTENV_PATH: '/.env' }, cols });
      await terminal.answer('ZOOM_ACCOUNT_ID', ctrl('D'));
      assert.equal(await terminal.end(), 130);
      const hint = 'You can paste them all at once, in this order, one per line. ? ZOOM_ACCOUNT_ID ›';
      const text = `${notSet('/.env', ALL)} See ${PAGE}. s2s saves your answers in /.env. ${hint}`;
      assert.ok(terminal.words.startsWith(text), terminal.screen);
      const rows = terminal.screen.split('\n?')[0]!.split('\n');
      assert.ok(rows.length === (cols === 80 ? 5 : 6) && rows.every((row) => row.length <= cols), terminal.screen);
    });

  it('prompts in order, also under tsx, and shows the IDs but not the secret', inTerminal, async () => {
    const { words, dotenv } = await session({ command: S2S, env: host() });
    const answers = Object.entries({ ...ACCOUNT, ZOOM_CLIENT_SECRET: '\\*{32}' });
    assert.match(words, new RegExp(answers.map(([name, value]) => `\\S ${name} \\S+ ${value} `).join('.*')));
    assert.equal(dotenv, DOTENV);
  });

  it('prompts on stderr, and only for what is missing', inTerminal, async () => {
    const cwd = folder({ '.env': `ZOOM_CLIENT_ID=${ZOOM_CLIENT_ID}\n` });
    const env = { ...host(), ZOOM_ACCOUNT_ID };
    const { words } = await session({ command: redirecting(1, 'out'), env, cwd, answers: { ZOOM_CLIENT_SECRET } });
    const start = `${notSet(join(cwd, '.env'), 'ZOOM_CLIENT_SECRET')} See ${PAGE}. s2s saves your answers in .env. `;
    assert.ok(words.startsWith(start), words);
    // A Windows console shows the prompt as it is in the end.
    assert.match(words.slice(start.length), /^(\S )+ZOOM_CLIENT_SECRET/);
    assert.match(readFileSync(join(cwd, 'out'), 'utf8'), /^\nZoom Server-to-Server Oauth token:\n/);
  });

  it('says what is missing instead of prompting if stdin is not a terminal', async () => {
    const cwd = folder({ '.env': `ZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\nZOOM_CLIENT_ID=\n` });
    const missing = notSet(join(cwd, '.env'), 'ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET');
    expectRun(await run({ env: host(), cwd }), { code: 2, stdout: '', stderr: `${missing}\n${NO_PROMPT}\n` });
  });

  for (const { name, env = {}, skip, command = S2S_WITHOUT_TSX, DOTENV_PATH = '.env' } of [
    { name: 'stderr is not a terminal', skip: inTerminal.skip, command: redirecting(2, 'err') },
    { name: 'the folder of the file is missing', skip: inTerminal.skip, DOTENV_PATH: 'no/.env' },
    { name: 'CI is set', env: { CI: '1' }, skip: inTerminal.skip },
    { name: 'TERM is "dumb"', env: { TERM: 'dumb' }, skip: inUnixTerminal.skip },
  ])
    it(`says what is missing instead of prompting if ${name}`, { skip }, async () => {
      const cwd = folder({ err: '' });
      const variables = { ...host(), DOTENV_PATH, ...env };
      const { raw, words } = await session({ command, env: variables, cwd, answers: {}, code: 2 });
      const shown = words.trimStart() + readFileSync(join(cwd, 'err'), 'utf8').replaceAll('\n', ' ');
      const advice = DOTENV_PATH === '.env' ? NO_PROMPT : `Create ${join(cwd, 'no')} or fix DOTENV_PATH.`;
      assert.equal(shown, `${notSet(join(cwd, DOTENV_PATH), ALL)} ${advice} `);
      assert.ok(isWindows || !raw.includes('\x1b'), raw);
    });

  for (const NO_COLOR of ['1', ''])
    it(`prompts in color unless NO_COLOR is set, also if CI is "false": "${NO_COLOR}"`, inTerminal, async () => {
      const env = { ...withoutSecret(), NO_COLOR, CI: 'false' };
      const { raw } = await session({ env, answers: { ZOOM_CLIENT_SECRET: `\r${ZOOM_CLIENT_SECRET}` } });
      assert.ok(raw.includes('Enter a value.'));
      assert.equal(/\x1b\[[\d;]*[1-9]m/.test(raw), NO_COLOR === ''); // A Windows console itself resets the color.
    });

  const values = Object.values(ACCOUNT);
  const lines = `${values.join('\r')}\r`;
  const withBlankLines = `${values.join('\r\n\r\n\n')}\r\n\r\n`;
  for (const { name, keys } of [
    { name: 'one per line', keys: lines },
    { name: 'with CRLF and blank lines', keys: withBlankLines },
    { name: 'as a bracketed paste', keys: `\x1b[200~${values.join('\n')}\n\x1b[201~` },
    { name: 'with another line', keys: `${lines}a fourth line\r` },
    { name: 'as lines of a shell script', keys: DOTENV.replace(/^(.*)=(.*)\n/gm, 'export $1="$2"\r') },
    { name: 'as lines of JSON', keys: DOTENV.replace(/^ZOOM_(.*)=(.*)\n/gm, '  "$1": "$2",\r') },
    { name: 'with labels', keys: DOTENV.replace(/^ZOOM_([^_]*)_(.*)=(.*)\n/gm, '$1 $2: $3\r') },
  ])
    it(`takes all credentials pasted at once: ${name}`, inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ env: host(), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', keys);
      assert.equal(await terminal.end(), 0, terminal.screen);
      assert.equal(dotenv(cwd), DOTENV);
      assert.ok(!terminal.raw.includes(PART_OF_SECRET), terminal.raw);
    });

  it('takes all of them pasted again after each rejection, and does not repeat advice', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ env: host(), cwd });
    for (const typo of ['typo', 'second-typo']) {
      await terminal.answer('ZOOM_ACCOUNT_ID', withBlankLines.replace(ZOOM_CLIENT_SECRET, typo));
      await terminal.see('Zoom rejected');
    }
    await terminal.answer('ZOOM_ACCOUNT_ID', withBlankLines);
    assert.equal(await terminal.end(), 0, terminal.screen);
    assert.equal(dotenv(cwd), DOTENV);
    const [, first = '', second = ''] = terminal.words.split('Zoom rejected the request: ');
    const advice = `Tracking ID .* at \\S+ ${KEEP}, or paste all at once\\. s2s saves .*`;
    assert.match(first, new RegExp(`^[^.]* \\(400\\)\\. ${advice} (\\S )+ZOOM_ACCOUNT_ID`));
    assert.match(second, /^[^.?]* \(400\)\. (\S )+ZOOM_ACCOUNT_ID/);
  });

  for (const id of [ZOOM_CLIENT_ID, 'stale'])
    it(`prompts once for what may be wrong if the environment sets the rest: ${id}`, inTerminal, async () => {
      const before = DOTENV.replace(ZOOM_CLIENT_SECRET, 'wrong');
      const cwd = folder({ '.env': before });
      const terminal = new Terminal({ env: { ...host(), ZOOM_CLIENT_ID: id }, cwd });
      await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
      assert.equal(await terminal.end(), id === 'stale' ? 1 : 0, terminal.screen);
      assert.ok(!terminal.words.includes('? ZOOM_ACCOUNT_ID'), terminal.words);
      assert.equal(dotenv(cwd), id === 'stale' ? before : DOTENV);
      const { words } = terminal;
      assert.equal(words.includes(' Saved ZOOM_CLIENT_SECRET in .env. '), id !== 'stale', words);
      const advice = `${setByEnvironment('ZOOM_CLIENT_ID')} `;
      assert.ok(words.includes(`${advice}${KEEP}. s2s saves your answers in ${join(cwd, '.env')}.`), words);
      assert.equal(words.endsWith(advice), id === 'stale', words);
    });

  it('does not prompt after a rejection if only what the environment sets is suspected', inTerminal, async () => {
    const cwd = folder({ '.env': DOTENV });
    const { words } = await session({ env: { ...host(), ZOOM_ACCOUNT_ID: 'stale' }, cwd, answers: {}, code: 1 });
    assert.ok(words.startsWith('The environment overrides ZOOM_ACCOUNT_ID in .env. Zoom rejected'), words);
    assert.ok(words.endsWith(`${setByEnvironment('ZOOM_ACCOUNT_ID')} `), words);
  });

  it('says where the values are instead of prompting after a rejection if stdin is not a terminal', async () => {
    const cwd = folder({ '.env': DOTENV.replace(ZOOM_ACCOUNT_ID, 'stale') });
    const advice =
      'ZOOM_ACCOUNT_ID is most likely wrong. Compare it with App Credentials at https://marketplace.zoom.us/.';
    const { code, stderr } = await run({ env: host(), cwd });
    assert.equal(code, 1);
    assert.ok(stderr.endsWith(`\n${advice}\nThe values are in ${join(cwd, '.env')}.\n`), stderr);
  });

  it('tries again with the same values if the answer is Enter at each prompt', inTerminal, async () => {
    const reject = respondWith(400, { reason: 'The app is disabled' });
    const { url } = await ownMockZoom((...args) => (args[2] === 1 ? reject(...args) : respondLikeZoom(...args)));
    const cwd = folder();
    const terminal = new Terminal({ env: { ZOOM_HOST: url }, cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', lines);
    await terminal.see('Zoom rejected');
    await terminal.answer('ZOOM_ACCOUNT_ID', '\r\r\r'); // Typed quickly, or sent together.
    assert.equal(await terminal.end(), 0);
    assert.equal(dotenv(cwd), DOTENV);
  });

  it('shows nothing of a paste that comes before it can prompt', inTerminal, async () => {
    const terminal = new Terminal({ env: withoutSecret() });
    await terminal.see('Not set');
    terminal.type(`${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0); // end() checks that the secret was not shown.
  });

  for (const { name, text, what } of [
    { name: 'another label', text: `Client ID: ${ZOOM_CLIENT_ID}`, what: 'a space' },
    { name: 'the label of the secret', text: `ZOOM_CLIENT_SECRET=${ZOOM_CLIENT_SECRET}`, what: '"="' },
    { name: 'a colon and the secret', text: `${ZOOM_CLIENT_ID}:${ZOOM_CLIENT_SECRET}`, what: '":"' },
    { name: 'tabs and more values', text: values.join('\t'), what: 'a space' },
    { name: 'more values, as JSON', text: JSON.stringify(ACCOUNT), what: '"""' },
  ])
    it(`masks and refuses a value with ${name}, and drops the rest of its paste`, inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ env: host(), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', `${text}\r${ZOOM_CLIENT_ID}\r${ZOOM_CLIENT_SECRET}\r`);
      await terminal.see(`This contains ${what}. Ctrl-U clears it.`);
      terminal.type(`${ctrl('U')}${lines}`);
      assert.equal(await terminal.end(), 0);
      assert.equal(dotenv(cwd), DOTENV);
      assert.ok(!terminal.raw.includes(PART_OF_SECRET), terminal.raw);
    });

  it('masks what is longer than an ID until it is cleared, and also when it offers it again', inTerminal, async () => {
    const terminal = new Terminal({ env: withoutAccountId(zoom) });
    await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_CLIENT_SECRET}${'\x7f'.repeat(12)}`);
    await terminal.seeLast(`? ZOOM_ACCOUNT_ID ${POINTER} ${'*'.repeat(20)}`);
    terminal.type(`${ctrl('U')}ab`);
    await terminal.seeLast(`? ZOOM_ACCOUNT_ID ${POINTER} ab`);
    terminal.type(`${ctrl('U')}${ZOOM_CLIENT_SECRET}\r`);
    await terminal.see('Zoom rejected');
    await terminal.seeLast(`? ZOOM_ACCOUNT_ID ${POINTER} (${'*'.repeat(32)})`);
    assert.ok(!terminal.display.includes(PART_OF_SECRET), terminal.display);
    terminal.type(ctrl('D'));
    assert.equal(await terminal.end(), 130);
  });

  for (const { text, complaint, key, shown } of [
    { text: '', complaint: 'Enter a value.', key: 'x', shown: ' x' },
    { text: 'a:', complaint: 'This contains ":"', key: '\x7f', shown: ' *' },
    { text: 'a:', complaint: 'This contains ":"', key: ctrl('U'), shown: '' },
  ])
    it(`removes "${complaint}" at the next key: ${JSON.stringify(key)}`, inTerminal, async () => {
      const terminal = new Terminal({ env: withoutAccountId(zoom) });
      await terminal.answer('ZOOM_ACCOUNT_ID', `${text}\r`);
      await terminal.see(complaint);
      terminal.type(key);
      await terminal.seeLast(`? ZOOM_ACCOUNT_ID ${POINTER}${shown}`);
      terminal.type(ctrl('D'));
      assert.equal(await terminal.end(), 130);
    });

  const [left, right, remove] = ['\x1b[D', '\x1bOC', '\x1b[3~'];
  // A Windows console reads its terminal's keys itself, and does not know all encodings.
  const ofUnix = (...keys: string[]) => (isWindows ? [] : keys);
  const homes = ['\x1b[H', '\x1bOH', ctrl('A'), ...ofUnix('\x1b[1~', '\x1b[7~', '\x1b[1;2H')];
  const ends = ['\x1b[F', '\x1bOF', ctrl('E'), ...ofUnix('\x1b[4~', '\x1b[8~', '\x1b[1;2F')];
  const afterEnds = ends.map((end) => `${ctrl('A')}${end}7`).join('');
  const functionKeys = ['\x1bOP', '\x1b[15~', '\x1b[24~', '\x1b[2~', '\x1b[5~', '\x1b[A', '\x1bOB'].join('');
  const controlKeys = [...'BFKLNOPQRSTVXYZ\\]@'].map(ctrl).join('');
  for (const { name, keys, value } of [
    { name: 'Home', keys: `x${homes.join('7')}7`, value: `${'7'.repeat(homes.length)}x` },
    { name: 'End', keys: `x${afterEnds}`, value: `x${'7'.repeat(ends.length)}` },
    { name: 'arrows', keys: `ad${left}b${left}${right}c${right}e`, value: 'abcde' },
    { name: 'Backspace and Delete', keys: `abcd\x7f\x08${left}${remove}z`, value: 'az' },
    { name: 'Ctrl-U', keys: `wrong${left}${left}${ctrl('U')}right`, value: 'right' },
    { name: 'Ctrl-W', keys: `wrong${ctrl('W')}right`, value: 'right' },
    { name: 'Tab, as a space', keys: '\tright\t', value: 'right' },
    { name: 'function keys, which do nothing', keys: `${functionKeys}ri${functionKeys}ght`, value: 'right' },
    { name: 'control keys, which do nothing', keys: `ri${controlKeys}ght`, value: 'right' },
  ])
    it(`handles ${name}`, inTerminal, async () => {
      const { url: ZOOM_HOST } = await ownMockZoom(respondWith(200, TOKEN_RESPONSE));
      const answers = { ZOOM_CLIENT_ID: keys, ZOOM_CLIENT_SECRET: keys };
      const { dotenv, screen } = await session({ env: { ZOOM_ACCOUNT_ID, ZOOM_HOST }, answers });
      assert.ok(screen.includes('\nSaved ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET in .env.\n'), screen);
      assert.deepEqual({ ...parse(dotenv!) }, { ZOOM_CLIENT_ID: value, ZOOM_CLIENT_SECRET: value });
    });

  for (const text of ['a'.repeat(4000), ' '.repeat(4000), 'a "b" '.repeat(700)])
    it(`answers a line of 4,000 characters and Ctrl-C at once: ${text.slice(0, 6)}…`, withCtrlC, async () => {
      const terminal = new Terminal({ env: withoutAccountId(zoom) });
      await terminal.answer('ZOOM_ACCOUNT_ID', '');
      const start = performance.now();
      terminal.type(`${text}\r`);
      await terminal.see('This is too long. Ctrl-U clears it.');
      terminal.type(`${text}${ctrl('C')}`);
      assert.equal(await terminal.end(), 130);
      assert.match(terminal.display, /\nCancelled\.\n$/);
      assert.ok(performance.now() - start < 10_000, `${performance.now() - start} ms`);
    });

  for (const { name, key, ...options } of [
    { name: 'Ctrl-C', key: ctrl('C'), ...withCtrlC },
    { name: 'Ctrl-D', key: ctrl('D'), ...inTerminal },
    { name: 'Escape', key: '\x1b', ...withCtrlC },
  ])
    it(`saves nothing and sends nothing after ${name}`, options, async () => {
      const cwd = folder();
      const { requests, url } = await ownMockZoom();
      const terminal = new Terminal({ env: { ZOOM_HOST: url }, cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', `acc\rcli${key}`);
      assert.equal(await terminal.end(), 130);
      assert.match(terminal.screen, /\nCancelled\.\n$/);
      assert.deepEqual({ files: files(cwd), requests }, { files: [], requests: [] });
    });
});
