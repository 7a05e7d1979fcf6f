/** Values: a credential is sent and saved as it is, whatever surrounds it; anything else is refused, and not shown. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { ACCOUNT, DOTENV, type ReceivedRequest, TOKEN_RESPONSE, respondWith, sendJson } from './mock-zoom.ts';
import { type Env, SEED, checkProperty, expectRun, files, folder, preloading, run } from './script.ts';
import { setByEnvironment, withCredentials, withoutAccountId } from './script.ts';
import { ownMockZoom } from './servers.ts';
import { POINTER, Terminal, inTerminal, session } from './terminal.ts';

type Name = keyof typeof ACCOUNT;
const NAMES = Object.keys(ACCOUNT) as Name[];
const SOURCES = ['the environment', '.env'] as const;
const PLACES = inTerminal.skip ? SOURCES : ([...SOURCES, 'a prompt'] as const);
const ADVICE = 'Correct it or, if it is a reference (op://…), run s2s through a tool such as op run.\n';

/** Runs the script without a terminal, with credentials in one of the two places that it reads. */
function runWith(source: (typeof SOURCES)[number], ZOOM_HOST: string, texts: Record<string, string>, env: Env = {}) {
  if (source === 'the environment') return run({ env: { ...env, ...texts, ZOOM_HOST } });
  const lines = Object.entries(texts).map(([name, text]) => {
    const quote = ['`', "'", '"'].find((quote) => !text.includes(quote));
    return `${name}=${quote}${text}${quote}\n`;
  });
  return run({ env: { ...env, ZOOM_HOST }, cwd: folder({ '.env': lines.join('') }) });
}

/** Returns what a server was sent: the account ID, the client ID, and the client secret. */
function credentialsOf({ headers, body }: ReceivedRequest): string[] {
  const basic = Buffer.from(headers.authorization!.replace('Basic ', ''), 'base64').toString();
  return [new URLSearchParams(body).get('account_id')!, ...basic.split(':')];
}

const blank = fc.string({ unit: fc.constantFrom(...' \t\u00a0\u2003\u00ad\u200b\u2060\ufeff'), maxLength: 3 });
const quotes = fc.constantFrom('', '""', "''", '“”', '``');
const label = fc.constantFrom('', 'NAME=', 'export NAME = ', '"ACCOUNT_ID": ', 'App Account ID: ', '--account-id=');
// Generate credentials like Zoom's, and others with all characters that RFC 6750 allows.
const value = fc.oneof(fc.stringMatching(/^[\w-]{8,64}$/), fc.stringMatching(/^[\w.~+/-]{8,64}={0,2}$/));
/** Generates a credential, and a function that writes it as users may copy it. */
const credential = fc
  .tuple(blank, label, quotes, blank, value, blank, fc.constantFrom('', ',', ';'))
  .map(([before, label, [open = '', close = ''], inner, value, after, end]) => {
    const filled = (name: Name) =>
      label.replace('NAME', name).replace(/account(.)id/i, name.slice(5).replace('_', '$1').toLowerCase());
    const write = (name: Name) => `${before}${filled(name)}${open}${inner}${value}${after}${close}${end}${before}`;
    return { value, write };
  });

const codeOf = (char: string) => `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

/** What is not a credential, and why. FIRST and LAST stand for words that may not be shown. */
const FLAWS: (readonly [pattern: string, reason: string])[] = [
  ...[...'!"#$%&\'()*,:;<=>?@[\\]^`{|}'].map((char) => [`FIRST${char}LAST`, `contains "${char}"`] as const),
  ...['\u00a0', '\u200b', '\u2028', '漢'].map((char) => [`FIRST${char}LAST`, `contains ${codeOf(char)}`] as const),
  ...['\n', '\x1b[31m', '😀'].map((char) => [`FIRST${char}LAST`, `contains ${codeOf(char)}`] as const),
  ...['FIRST LAST', 'FIRST Copy', 'Region ID: FIRST', 'FIRST # LAST'].map(
    (text) => [text, 'contains a space'] as const,
  ),
  ...['https://FIRST/LAST', 'op://FIRST', 'encrypted:FIRST'].map((text) => [text, 'contains ":"'] as const),
  ...['PORT=FIRST', 'ZOOM_TOKEN==FIRST=LAST'].map((text) => [text, 'contains "="'] as const),
  ['{"FIRST":"LAST"}', 'contains "{"'],
  ['${FIRST}', 'contains "$"'],
  [`FIRST${'x'.repeat(193)}LAST`, 'is too long'],
];

const name = fc.constantFrom(...NAMES);
const word = fc.stringMatching(/^[A-Za-z0-9]{8,24}$/);
const flaw = fc.tuple(fc.constantFrom(...FLAWS), word, word).map(([[pattern, reason], first, last]) => ({
  text: pattern.replace('FIRST', first).replace('LAST', last),
  words: [first, last],
  reason,
}));
// At a prompt, a control character is a key of its own, and prompts knows only the Basic Multilingual Plane.
const typedFlaw = flaw.filter(({ text }) => !/[\n\x1b😀]/u.test(text));

describe('the script', { concurrency: 4 }, () => {
  const all = fc.tuple(credential, credential, credential);
  it(`sends and saves credentials unchanged, whatever surrounds them (${SEED})`, () =>
    checkProperty(fc.record({ place: fc.constantFrom(...PLACES), all }), async () => {
      const { requests, url } = await ownMockZoom(respondWith(200, TOKEN_RESPONSE));
      return async ({ place, all }) => {
        const values = all.map(({ value }) => value);
        const texts = Object.fromEntries(NAMES.map((name, i) => [name, all[i]!.write(name)]));
        if (place === 'a prompt') {
          const { dotenv } = await session({ env: { ZOOM_HOST: url }, answers: texts });
          assert.deepEqual(Object.values(parse(dotenv!)), values);
        } else expectRun(await runWith(place, url, texts), { code: 0, stderr: /^No clipboard [^\n]*\n$/ });
        assert.deepEqual(requests.splice(0).map(credentialsOf), [values]);
      };
    }));

  it(`refuses what is not a credential in the environment or in .env (${SEED})`, () =>
    checkProperty(fc.record({ source: fc.constantFrom(...SOURCES), name, flaw }), async () => {
      const { requests, url } = await ownMockZoom();
      return async ({ source, name, flaw: { text, reason } }) => {
        const result = await runWith(source, url, { ...ACCOUNT, [name]: text });
        const stderr = `${name} in ${source} ${reason}, so it is not a credential.\n${ADVICE}`;
        expectRun(result, { code: 2, stdout: '', stderr });
        assert.equal(requests.length, 0);
      };
    }));

  const flaws = fc.array(typedFlaw, { minLength: 9, maxLength: 9 });
  it(`refuses what is not a credential at a prompt, and hides it (${SEED})`, inTerminal, () =>
    checkProperty(fc.record({ name, flaws }), async () => {
      const { requests, ...server } = await ownMockZoom();
      return async ({ name, flaws }) => {
        const cwd = folder();
        const terminal = new Terminal({ env: withCredentials(server, { [name]: undefined }), cwd });
        await terminal.answer(name, '');
        for (const { text, words, reason } of flaws) {
          const start = terminal.raw.length;
          terminal.type(`${text}\r`);
          await terminal.see(`This ${reason}. Ctrl-U clears it.`);
          const shown = terminal.display.replaceAll('\n', '');
          const stars = `\\*{${Math.min(text.length, 201)}}`;
          assert.match(shown, new RegExp(`\\? ${name} ?${POINTER} ${stars}\\P{L} This `, 'u'));
          // Only the beginning may have been seen, before the flaw was typed, and never that of a secret.
          const seen = words.filter((word) => terminal.raw.includes(word, start));
          const isExpected = (word: string) => name !== 'ZOOM_CLIENT_SECRET' && text.startsWith(word);
          assert.ok(seen.every(isExpected), `shown: ${seen}`);
          terminal.type('\x15'); // Ctrl-U
        }
        terminal.type('\x04'); // Ctrl-D
        assert.equal(await terminal.end(), 130);
        assert.deepEqual({ files: files(cwd), requests }, { files: [], requests: [] });
      };
    }),
  );

  it('leaves it to Zoom to reject what may be a credential', async () => {
    const { requests, url } = await ownMockZoom();
    const values = ['a'.repeat(200), 'your_client_id', 'aZ0_-.~+/=='];
    const texts = Object.fromEntries(NAMES.map((name, i) => [name, values[i]!]));
    expectRun(await runWith('the environment', url, texts), { code: 1, stderr: /^Zoom rejected the request: / });
    assert.deepEqual(requests.map(credentialsOf), [values]);
  });

  it('takes up to 200 characters at a prompt', inTerminal, async () => {
    const { requests, url } = await ownMockZoom(respondWith(200, TOKEN_RESPONSE));
    const terminal = new Terminal({ env: withoutAccountId({ url }) });
    await terminal.answer('ZOOM_ACCOUNT_ID', `${'a'.repeat(300)}\r`);
    await terminal.see('This is too long. Ctrl-U clears it.');
    terminal.type('\x7f\r'); // Backspace
    assert.equal(await terminal.end(), 0);
    assert.equal(credentialsOf(requests[0]!)[0], 'a'.repeat(200));
  });

  it('prefers the environment, except where it is blank, and says so, also after a rejection', async () => {
    const { requests, url: ZOOM_HOST } = await ownMockZoom();
    const env = { ZOOM_HOST, ZOOM_ACCOUNT_ID: "''", ZOOM_CLIENT_ID: ' ', ZOOM_CLIENT_SECRET: 'x' };
    const result = await run({ env, cwd: folder({ '.env': DOTENV }) });
    expectRun(result, {
      code: 1,
      stdout: '',
      stderr: /^The environment overrides ZOOM_CLIENT_SECRET in \.env\.\nZoom/,
    });
    assert.ok(result.stderr.endsWith(`\n${setByEnvironment('ZOOM_CLIENT_SECRET')}\n`), result.stderr);
    assert.deepEqual(requests.map(credentialsOf), [Object.values({ ...ACCOUNT, ZOOM_CLIENT_SECRET: 'x' })]);
  });

  it('says which values the environment overrides, but not the same values or references', async () => {
    const lines = DOTENV.replace(/(CLIENT_ID)=.*/, '$1=other').replace(/(SECRET)=.*/, '$1=op://vault/item');
    const result = await run({ env: withCredentials(await ownMockZoom()), cwd: folder({ '.env': lines }) });
    expectRun(result, {
      code: 0,
      stderr: /^The environment overrides ZOOM_CLIENT_ID in \.env\.\nNo clipboard [^\n]*\n$/,
    });
  });

  it('refuses long and huge values, within a second of computing', async () => {
    const slow = "process.on('exit', () => process.cpuUsage().user > 1.5e6 && require('node:fs').writeSync(2, 'slow'))";
    for (const [source, text] of [
      [SOURCES[0], `client_id=${'a'.repeat(191)}`],
      [SOURCES[0], '"'.repeat(32_000)], // Windows limits a variable to 32,767 characters.
      [SOURCES[0], ' '.repeat(32_000)],
      [SOURCES[1], '"'.repeat(32_000)],
      [SOURCES[1], `a${' '.repeat(120_000)}b`],
      [SOURCES[1], 'a'.repeat(2 ** 20)],
    ] as const) {
      const result = await runWith(source, 'zoom.us', { ...ACCOUNT, ZOOM_CLIENT_ID: text }, preloading(slow));
      const stderr = `ZOOM_CLIENT_ID in ${source} is too long, so it is not a credential.\n${ADVICE}`;
      expectRun(result, { code: 2, stdout: '', stderr });
    }
  });
});

/** Generates a line that is not a credential: other settings, comments, values over several lines, invalid text. */
const otherLine = fc.constantFrom(
  ...['', '# a comment', '  # it\'s "one" more', '#ZOOM_CLIENT_ID=commented-out', 'no setting at all', 'YAML: value'],
  ...["export SINGLE = 'a b # c'  # tail", 'BACK=`a\nZOOM_ACCOUNT_ID=`', 'NOT_ZOOM_CLIENT_ID=other', 'DOLLAR=$$&$1'],
  ...['MULTI="first\nZOOM_CLIENT_SECRET=inside a value\nlast"', 'ZOOM_CLIENT_ID_2=other', 'UNCLOSED="abc'],
  'LATIN=caf\xe9', // Not UTF-8, because the file is written as Latin-1.
  'LABEL:', // dotenv takes the next line as its value.
);
const credentialLine = fc
  .tuple(
    fc.constantFrom('', 'export ', '  '),
    fc.constantFrom(...NAMES),
    fc.constantFrom('=', ' = ', ': ', '=\t'),
    fc.constantFrom('', '""', "''", 'OLD', '"OLD"', "'OLD'"),
    fc.constantFrom('', '  # from the marketplace', ' ', '#'),
  )
  .map((parts) => parts.join(''));
const line = fc.oneof(otherLine, credentialLine);
const file = fc
  .tuple(
    fc.constantFrom('', '\xef\xbb\xbf'), // A byte order mark.
    fc.array(line, { maxLength: 14 }),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
  )
  .map(([mark, lines, newline, endsLast]) => mark + lines.join(newline) + (endsLast ? newline : ''))
  .filter((text) => !/LABEL:\s+(BACK|MULTI)/.test(text)); // There, the second line of a value is a setting.
const values = fc.tuple(...NAMES.map(() => fc.stringMatching(/^NEW[\w.~+/-]{8,24}={0,2}$/)));

const parseLatin1 = (text: string) => ({ ...parse(Buffer.from(text, 'latin1')) });

/** Takes the values of credentials out of the text of a file. */
const withoutValues = (text: string, ...values: string[]) =>
  ['"OLD"', "'OLD'", 'OLD', '""', "''", ...values].reduce((text, value) => text.replaceAll(value, ''), text);

it(`changes only the values of credentials in .env (${SEED})`, inTerminal, () =>
  checkProperty(fc.record({ before: file, values, isRejected: fc.boolean() }), async () => {
    let rejects = false;
    const { url } = await ownMockZoom((response) => {
      sendJson(response, rejects ? 400 : 200, rejects ? { error: 'no' } : TOKEN_RESPONSE);
      rejects = false;
    });
    return async ({ before, values, isRejected }) => {
      rejects = isRejected;
      const cwd = folder({ '.env': Buffer.from(before, 'latin1') });
      const settings = parseLatin1(before);
      const missing = NAMES.filter((name) => !settings[name]);
      const terminal = new Terminal({ env: { ZOOM_HOST: url }, cwd });
      if (isRejected) for (const name of missing) await terminal.answer(name, 'wrong\r');
      if (isRejected) await terminal.see('Zoom rejected');
      const typed = NAMES.map((name, i) => [name, values[i]] as const);
      const saved = typed.filter(([name]) => isRejected || missing.includes(name));
      for (const [name, value] of saved) await terminal.answer(name, `${value}\r`);
      assert.equal(await terminal.end(), 0);

      const after = readFileSync(join(cwd, '.env'), 'latin1');
      const cannotSave = /Cannot save (ZOOM_\w+,? ?)+ in \.env: dotenv would read back something else\. /;
      if (/LABEL:\s*$/.test(before) && after === before) return assert.match(terminal.words, cannotSave);
      assert.deepEqual(parseLatin1(after), { ...settings, ...Object.fromEntries(saved) });
      const kept = withoutValues(before);
      const left = withoutValues(after, ...values);
      assert.equal(left.slice(0, kept.length), kept);
      assert.match(left.slice(kept.length), /^(\r?\n)?(ZOOM_\w+=\r?\n)*$/);
    };
  }),
);
