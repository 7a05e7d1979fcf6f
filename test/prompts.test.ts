/** Prompts: when they appear, what they say, and how they take what is typed and pasted. */

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'dotenv';
import {
  POINTER,
  S2S,
  S2S_QUOTED,
  Terminal,
  dotenv,
  expectRun,
  files,
  folder,
  inTerminal,
  inTerminalWithCtrlC,
  inUnixTerminal,
  ownMockZoom,
  redirecting,
  run,
  session,
  sharedMockZoom,
  skipUnless,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import { ACCOUNT, DOTENV, TOKEN_RESPONSE, respondWith } from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET } = ACCOUNT;
const ALL = 'ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET';
const STARS = '*'.repeat(ZOOM_CLIENT_SECRET.length);
const withCtrlC = await inTerminalWithCtrlC();
const inShell = { skip: inUnixTerminal.skip || skipUnless('bash --version') };

/** Returns the character that a terminal sends for a letter and Ctrl. */
const ctrl = (letter: string) => String.fromCharCode(letter.charCodeAt(0) & 0x1f);

describe('prompts', { concurrency: 4 }, () => {
  const zoom = sharedMockZoom();
  const host = () => ({ ZOOM_HOST: zoom.url });
  const withoutSecret = () => withCredentials(zoom, { ZOOM_CLIENT_SECRET: undefined });

  it('say where to find credentials, ask in order, and save the answers for later runs', inTerminal, async () => {
    const cwd = folder();
    const first = await session({ command: S2S, env: host(), cwd });
    const intro = first.screen.slice(0, first.screen.indexOf('\n? ZOOM_ACCOUNT_ID'));
    assert.match(intro, /https:\/\/marketplace\.zoom\.us\/.* Created apps.* your app > App Credentials/s);
    assert.match(intro, /Develop > Build App\s> Server-to-Server OAuth App/);
    assert.match(intro, /paste .* at once/);
    assert.ok(first.screen.includes(STARS));
    assert.ok(first.screen.includes(`\nSaved ${ALL} in .env.\n`), first.screen);
    assert.equal(first.dotenv, DOTENV);
    assert.deepEqual(files(cwd), ['.env']);
    if (process.platform !== 'win32') assert.equal(statSync(join(cwd, '.env')).mode & 0o777, 0o600);

    const second = await session({ env: host(), cwd, answers: {} });
    assert.ok(!second.screen.includes('?'));
  });

  for (const { name, content, file = '.env', missing, where } of [
    { name: 'there is no .env', missing: ALL, where: ', which does not exist' },
    { name: 'DOTENV_PATH leads nowhere', file: join('no', 'file.env'), missing: ALL, where: ', which does not exist' },
    {
      name: '.env sets some of them',
      content: { '.env': `ZOOM_ACCOUNT_ID=${ZOOM_ACCOUNT_ID}\nZOOM_CLIENT_ID=\n` },
      missing: 'ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET',
      where: '',
    },
  ]) {
    const lines = (cwd: string) =>
      `Missing credentials: ${missing}.\nLooked in the environment and in ${join(cwd, file)}${where}.\n`;
    const env = () => ({ ...host(), DOTENV_PATH: file === '.env' ? undefined : file });

    it(`say what is missing and where it was looked for if ${name}`, inTerminal, async () => {
      const cwd = folder(content);
      const terminal = new Terminal({ env: env(), cwd });
      await terminal.answer(missing === ALL ? 'ZOOM_ACCOUNT_ID' : 'ZOOM_CLIENT_ID', ctrl('D'));
      assert.equal(await terminal.end(), 130);
      assert.ok(terminal.screen.startsWith(lines(cwd)), terminal.screen);
    });

    it(`give way to a message if there is no terminal and ${name}`, async () => {
      const cwd = folder(content);
      const { stderr, ...result } = await run({ env: env(), cwd });
      expectRun({ stderr, ...result }, { code: 2, stdout: '' });
      const remedy = 'Set them in either place. Cannot prompt, because stdin is not a terminal.\n';
      assert.equal(stderr, lines(cwd) + remedy);
    });
  }

  it('give way to a message if stderr is not a terminal', inTerminal, async () => {
    const cwd = folder();
    await session({ command: redirecting(2, 'err'), env: host(), cwd, answers: {}, code: 2 });
    assert.match(
      readFileSync(join(cwd, 'err'), 'utf8'),
      /^Missing credentials: .*\nLooked in .*\nSet them in .* Cannot prompt, because stderr is not a terminal\.\n$/,
    );
  });

  it('give way to a message without escape sequences if TERM is dumb', inUnixTerminal, async () => {
    const { raw } = await session({ env: { ...host(), TERM: 'dumb' }, answers: {}, code: 2 });
    assert.match(
      raw,
      /^Missing credentials: .*\r\nLooked in .*\r\nSet them in .* Cannot prompt, because TERM is "dumb"\./,
    );
    assert.ok(!raw.includes('\x1b'));
  });

  for (const { NO_COLOR, colored } of [
    { NO_COLOR: '1', colored: false },
    { NO_COLOR: '', colored: true },
  ])
    it(`are ${colored ? '' : 'not '}in color if NO_COLOR is "${NO_COLOR}"`, inTerminal, async () => {
      const env = { ...withoutSecret(), NO_COLOR };
      const { raw } = await session({ env, answers: { ZOOM_CLIENT_SECRET: `\r${ZOOM_CLIENT_SECRET}` } });
      assert.ok(raw.includes('Enter a value.'));
      assert.equal(/\x1b\[[\d;]*[1-9]m/.test(raw), colored); // A Windows console itself resets the color.
    });

  it('appear on stderr, and only for what is missing', inTerminal, async () => {
    const cwd = folder({ '.env': `ZOOM_CLIENT_ID=${ZOOM_CLIENT_ID}\n` });
    const terminal = new Terminal({ command: redirecting(1, 'out'), env: { ...host(), ZOOM_ACCOUNT_ID }, cwd });
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.ok(!/ZOOM_(ACCOUNT|CLIENT)_ID|paste/.test(terminal.screen));
    assert.match(terminal.screen, /\nSaved ZOOM_CLIENT_SECRET in \.env\.\n/);
    assert.match(readFileSync(join(cwd, 'out'), 'utf8'), /^\nZoom Server-to-Server Oauth token:\n/);
    assert.equal(parse(dotenv(cwd)!)['ZOOM_CLIENT_SECRET'], ZOOM_CLIENT_SECRET);
  });

  const values = Object.values(ACCOUNT);
  const [accountLine, ...otherLines] = DOTENV.trim().split('\n');
  for (const { name, keys } of [
    { name: 'one per line', keys: `${values.join('\r')}\r` },
    { name: 'with blank lines', keys: `\r${values.join('\r\n  \r\n\r\n')}\r\n` },
    { name: 'as a bracketed paste', keys: `\x1b[200~${values.join('\n')}\n\x1b[201~` },
    { name: 'with an extra line', keys: `${values.join('\r')}\ra fourth line\r` },
    {
      name: 'as lines of .env',
      keys: `# Zoom\r#ZOOM_ACCOUNT_ID=old\r# ZOOM_CLIENT_ID=old\r${accountLine}\r\r${otherLines.map((line) => `export ${line}`).join('\r')}\r`,
    },
    {
      name: 'as JSON',
      keys: `{\r${Object.entries(ACCOUNT)
        .map(([name, value]) => `  "${name.slice(5).toLowerCase()}": "${value}"`)
        .join(',\r')}\r}\r`,
    },
    {
      name: 'as a page with labels and buttons',
      keys: `App Credentials\r\rAccount ID\r${values[0]}\rCopy\rClient ID:\r${values[1]}\rCopy\rClient Secret\r${values[2]}\rCopy\rRegenerate\r`,
    },
  ])
    it(`take all credentials pasted at once: ${name}`, inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ env: host(), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', keys);
      assert.equal(await terminal.end(), 0, terminal.screen);
      assert.equal(dotenv(cwd), DOTENV);
      assert.ok(!terminal.raw.includes(ZOOM_CLIENT_SECRET.slice(0, 9)), 'not even a part of the secret is shown');
    });

  it('take a paste that arrives in pieces', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ env: host(), cwd });
    await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r\n${ZOOM_CLIENT_ID.slice(0, 9)}`);
    await terminal.see(ZOOM_CLIENT_ID.slice(0, 9));
    terminal.type(`${ZOOM_CLIENT_ID.slice(9)}\r\n${ZOOM_CLIENT_SECRET.slice(0, 9)}`);
    await terminal.see('*'.repeat(9));
    terminal.type(`${ZOOM_CLIENT_SECRET.slice(9)}\r`);
    assert.equal(await terminal.end(), 0);
    assert.equal(dotenv(cwd), DOTENV);
  });

  it('show nothing of a paste that comes before they are ready', inTerminal, async () => {
    const cwd = folder();
    const terminal = new Terminal({ env: withoutSecret(), cwd });
    await terminal.see('Missing credentials');
    terminal.type(`${ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0); // end() checks that the secret was not shown.
    assert.equal(dotenv(cwd), `ZOOM_CLIENT_SECRET=${ZOOM_CLIENT_SECRET}\n`);
  });

  for (const { name, keys, complaint } of [
    {
      name: 'an invisible character',
      keys: 'wr\u200bong',
      complaint: 'This contains an invisible character (U+200B).',
    },
    { name: 'another label', keys: `Client ID: ${ZOOM_CLIENT_ID}`, complaint: 'This is labeled ZOOM_CLIENT_ID.' },
    { name: 'a reference', keys: 'op://vault/item/field', complaint: 'This is an unresolved reference (op://…).' },
    { name: 'another name', keys: 'PORT=3000', complaint: 'This sets another variable.' },
    { name: 'the label of the secret', keys: otherLines[1]!, complaint: 'This is labeled ZOOM_CLIENT_SECRET.' },
    { name: 'more values beside it', keys: values.join('\t'), complaint: 'This contains more than one value.' },
    { name: 'commas and more values', keys: values.join(', '), complaint: 'This contains more than one value.' },
    {
      name: 'more values, as JSON on one line',
      keys: JSON.stringify(ACCOUNT).replaceAll('ZOOM_', '').toLowerCase(),
      complaint: 'This contains more than one value.',
    },
  ])
    it(`refuse a value with ${name}, and the rest of its paste`, inTerminal, async () => {
      const cwd = folder();
      const rest = `\r${ZOOM_CLIENT_ID}\r${ZOOM_CLIENT_SECRET}\r`;
      const terminal = new Terminal({ env: host(), cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', `${keys}${rest}`);
      await terminal.see(`${complaint} Press Ctrl-U to clear it.`);
      terminal.type(`${ctrl('U')}${ZOOM_ACCOUNT_ID}${rest}`);
      assert.equal(await terminal.end(), 0);
      assert.equal(dotenv(cwd), DOTENV);
      assert.ok(!terminal.raw.toLowerCase().includes(ZOOM_CLIENT_SECRET.slice(0, 9).toLowerCase()));
    });

  for (const { keys, complaint, key, shown } of [
    { keys: '', complaint: 'Enter a value.', key: 'x', shown: 'x' },
    { keys: 'op://a', complaint: 'This is an unresolved reference', key: '\x7f', shown: 'op://' },
    { keys: '', complaint: 'Enter a value.', key: '\x1b[D', shown: '' },
  ])
    it(`clear "${complaint}" at the next key, ${JSON.stringify(key)}`, inTerminal, async () => {
      const terminal = new Terminal({ env: withoutAccountId(zoom) });
      await terminal.answer('ZOOM_ACCOUNT_ID', `${keys}\r`);
      await terminal.see(complaint);
      terminal.type(key);
      await terminal.seeLast(`? ZOOM_ACCOUNT_ID ${POINTER}${shown && ` ${shown}`}`);
      terminal.type(ctrl('D'));
      assert.equal(await terminal.end(), 130);
    });

  const [left, right, remove] = ['\x1b[D', '\x1bOC', '\x1b[3~'];
  // A Windows console reads its terminal's keys itself, and does not know all encodings.
  const ofUnix = (...keys: string[]) => (process.platform === 'win32' ? [] : keys);
  const homes = ['\x1b[H', '\x1bOH', ctrl('A'), ...ofUnix('\x1b[1~', '\x1b[7~', '\x1b[1;2H')];
  const ends = ['\x1b[F', '\x1bOF', ctrl('E'), ...ofUnix('\x1b[4~', '\x1b[8~', '\x1b[1;2F')];
  const functionKeys = [
    '\x1bOP',
    '\x1b[15~',
    '\x1b[24~',
    '\x1b[2~',
    '\x1b[5~',
    '\x1b[A',
    '\x1bOB',
    '\x1b[Z',
    '\x1b[97;5u',
  ];
  for (const { name, keys, value } of [
    {
      name: 'Home, in every encoding',
      keys: `x${homes.map((home) => `${home}7`).join('')}`,
      value: `${'7'.repeat(homes.length)}x`,
    },
    {
      name: 'End, in every encoding',
      keys: `x${ends.map((end) => `${ctrl('A')}${end}7`).join('')}`,
      value: `x${'7'.repeat(ends.length)}`,
    },
    { name: 'Backspace and Delete', keys: `abcd\x7f\x08${left}${remove}z`, value: 'az' },
    { name: 'Ctrl-U', keys: `wrong${ctrl('U')}right`, value: 'right' },
    { name: 'Ctrl-U in the middle', keys: `wrong words${left}${left}${ctrl('U')}right`, value: 'right' },
    { name: 'Ctrl-W', keys: `one two three${ctrl('W')}${ctrl('W')}2`, value: 'one 2' },
    { name: 'Ctrl-K', keys: `right wrong${left.repeat(6)}${ctrl('K')}`, value: 'right' },
    {
      name: 'characters outside the Basic Multilingual Plane',
      keys: `a😀b𝔘${left}${left}x${right}\x7f\x1b[H𝒞c${left}\x1b[D${remove}`,
      value: 'ca😀x𝔘',
    },
    { name: 'accents and other scripts', keys: `é漢ß${left}\x7fü`, value: 'éüß' },
    {
      name: 'function keys, which do nothing',
      keys: `${functionKeys.join('')}ri${functionKeys.join('')}ght`,
      value: 'right',
    },
    {
      name: 'control keys, which do nothing',
      keys: `ri${[...'GILNOPQRSTVXYZ\\]'].map(ctrl).join('')}\0ght`,
      value: 'right',
    },
  ])
    it(`handle ${name}`, inTerminal, async () => {
      const server = await ownMockZoom(respondWith(200, TOKEN_RESPONSE));
      const env = { ZOOM_ACCOUNT_ID, ZOOM_HOST: server.url };
      const { dotenv } = await session({ env, answers: { ZOOM_CLIENT_ID: keys, ZOOM_CLIENT_SECRET: keys } });
      assert.deepEqual({ ...parse(dotenv!) }, { ZOOM_CLIENT_ID: value, ZOOM_CLIENT_SECRET: value });
    });

  it(
    'do not show a secret typed after SIGSTOP and fg, even if the shell has reset the terminal mode',
    inShell,
    async () => {
      // Do what an interactive shell does when its job stops and is continued.
      const job = `mode=$(stty -g); set -m; ${S2S_QUOTED} & echo $! >"$HOME/pid"; fg; stty "$mode"; echo stopped; fg`;
      const terminal = new Terminal({ command: ['bash', '-c', job], env: withoutSecret() });
      await terminal.see('? ZOOM_CLIENT_SECRET ›');
      process.kill(-terminal.pid, 'SIGSTOP');
      await terminal.see('stopped');
      await terminal.answer('ZOOM_CLIENT_SECRET', `${ZOOM_CLIENT_SECRET}\r`);
      assert.equal(await terminal.end(), 0);
      assert.ok(terminal.screen.includes(`✔ ZOOM_CLIENT_SECRET … ${STARS}\n`));
    },
  );

  for (const { name, key, ...options } of [
    { name: 'Ctrl-C', key: ctrl('C'), ...withCtrlC },
    { name: 'Ctrl-D', key: ctrl('D'), ...inTerminal },
    { name: 'Escape', key: '\x1b', ...withCtrlC },
  ])
    it(`save nothing and send nothing after ${name}`, options, async () => {
      const cwd = folder();
      const server = await ownMockZoom();
      const terminal = new Terminal({ env: { ZOOM_HOST: server.url }, cwd });
      await terminal.answer('ZOOM_ACCOUNT_ID', 'acc\r');
      await terminal.answer('ZOOM_CLIENT_ID', `cli${key}`);
      assert.equal(await terminal.end(), 130);
      assert.match(terminal.screen, /\nCancelled\.\n$/);
      assert.deepEqual(files(cwd), []);
      assert.equal(server.requests.length, 0);
    });
});
