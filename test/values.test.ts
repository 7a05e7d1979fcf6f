/** Values: what is accepted as a credential, however it is written, at a prompt, in the environment, or in .env. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { Terminal, dotenv, expectRun, folder, inTerminal, ownMockZoom, run, session } from './helpers.ts';
import { ACCOUNT, type ReceivedRequest, TOKEN_RESPONSE, respondWith, sendJson } from './mock-zoom.ts';

const LANES = 4;
const numRuns = Math.ceil(Number(process.env['S2S_RUNS'] ?? 8) / LANES);
const seed = Number(process.env['S2S_SEED'] ?? 1);

const NAMES = ['ZOOM_ACCOUNT_ID', 'ZOOM_CLIENT_ID', 'ZOOM_CLIENT_SECRET'] as const;
type Name = (typeof NAMES)[number];
type Texts = Partial<Record<string, string>>;

/** A VALUE labeled with the name of its credential, in every notation from which users may copy it. */
const LABELS = [
  'NAME=VALUE',
  'export NAME="VALUE"',
  "NAME = 'VALUE'",
  'NAME: VALUE',
  '  - NAME=VALUE',
  '"NAME": "VALUE",',
  '$env:NAME = "VALUE"',
  'set NAME=VALUE',
  'setx NAME "VALUE"',
  'set -gx NAME VALUE',
  '-e NAME=VALUE',
  '-e NAME="VALUE"',
  'ENV NAME=VALUE',
  "process.env.NAME = 'VALUE';",
  'VITE_NAME=VALUE',
  'snake_name = "VALUE"',
  '"snake_name":"VALUE",',
  "'snake_name' => 'VALUE',",
  '--kebab-name=VALUE',
  "camelName: 'VALUE',",
  "const camelName = 'VALUE';",
  'Title Name: VALUE',
  'Title Name VALUE',
  'Title Name\tVALUE',
  'Title\u00a0Name:\u200b VALUE',
  '**Title Name:** VALUE',
  'Title Name：VALUE',
  'set "NAME=VALUE"',
  'NAME="VALUE" # note',
  '| Title Name | VALUE |',
  'Title Name,VALUE',
  'Title Name – VALUE',
  'Title Name - VALUE',
  '“NAME=VALUE”',
  '"NAME=VALUE"',
];
/** What may surround a VALUE without being a part of it. */
const SURROUNDINGS = [
  ...[' VALUE ', '\tVALUE\t', 'VALUE\r', '\u00a0VALUE\u3000', '\u2028VALUE\u2003', '\ufeffVALUE', 'VALUE\u200b'],
  ...['\u200e\u2066VALUE\u2069', '\u00adVALUE\ue000', '\u2800VALUE\u3164', '"VALUE"', "'VALUE'", '`VALUE`', '“VALUE”'],
  ...[
    '„VALUE“',
    '«VALUE»',
    '‘VALUE’',
    '‹VALUE›',
    '<td>VALUE</td>',
    '<camelName>VALUE</camelName>',
    'VALUE,',
    'VALUE;',
    '" VALUE ", ',
    "'“VALUE”';\u200b",
    ...LABELS,
  ],
];

/** What is not a value: placeholders from samples, and labels without a value. */
const PLACEHOLDERS = [
  ...['your_account_id_here', 'your-zoom-client-id', 'YOUR_ZOOM_S2S_SECRET', 'yourAccountId', 'your client ID'],
  ...['<ACCOUNT_ID>', '<paste Client ID here>', '[YOUR_SECRET]', '{{account_id}}', '__CLIENT_ID__', 'paste_here'],
  ...['xxxxxxxx', 'yyyyy', 'XXXX-XXXX', '***********', '...', '00000000', 'replace-me', 'CHANGE_ME', 'null', 'TODO'],
  ...[
    'undefined',
    '# secret',
    '// secret',
    'Here you are:',
    '""',
    '“”',
    'NAME=your_secret,',
    'export NAME=""',
    '"snake_name":',
    'Title Name',
    'NAME:',
  ],
];

/** Unresolved references: the first of each form is tried everywhere, the others only at a prompt. */
const REFERENCES = [
  {
    texts: ['op://Vault/Zoom Client ID/credential', '"op://vault/item/field"', 'NAME=op://vault/item/client_secret'],
    problem: 'is an unresolved reference (op://…)',
    remedy: 'Run this command through: op run --',
  },
  {
    texts: ['encrypted:BGqcqXoTwbuYz5AkIbl/PzMCi3+2tg=='],
    problem: 'is still encrypted (encrypted:…)',
    remedy: 'Run this command through: dotenvx run --',
  },
  {
    texts: ['${OTHER}', '$OTHER', '$env:OTHER', '$NAME', '${NAME:-default}', '$(op read op://vault/item/field)'],
    problem: 'is an unresolved reference ($…)',
    remedy: 'Set the value itself.',
  },
  {
    texts: [
      '{{ op://vault/item/field }}',
      '%OTHER%',
      'vault:zoom#id',
      'ENC[AES256_GCM,data:x]',
      'awsssm://x',
      'https://marketplace.zoom.us/',
    ],
    problem: 'is an unresolved reference or a URL',
    remedy: 'Set the value itself.',
  },
];

/** Fills a pattern: NAME stands for the name of a credential, VALUE for its value. */
function fill(pattern: string, name: Name, value: string = ACCOUNT[name]): string {
  const words = name.toLowerCase().split('_').slice(1);
  const titles = words.map((word) => (word === 'id' ? 'ID' : word.replace(/^./, (first) => first.toUpperCase())));
  return pattern
    .replace('snake_name', words.join('_'))
    .replace('kebab-name', words.join('-'))
    .replace('camelName', words[0] + titles[1]!.replace('ID', 'Id'))
    .replace(/Title(.)Name/, titles.join('$1'))
    .replace('NAME', name)
    .replace('VALUE', () => value);
}

/** Fills one pattern for each credential. */
const fillAll = (patterns: readonly string[]) =>
  Object.fromEntries(patterns.map((pattern, i) => [NAMES[i]!, fill(pattern, NAMES[i]!)]));

/** Writes a dotenv file from which dotenv reads exactly these strings. */
const toDotenv = (texts: Texts) =>
  Object.entries(texts)
    .map(([name, text = '']) => {
      const quote = ['`', "'", '"'].find((mark) => !text.includes(mark));
      return `${name}=${quote}${text}${quote}\n`;
    })
    .join('');

/** Lists what a server was sent: the account ID, the client ID, and the client secret. */
const received = (requests: ReceivedRequest[]) =>
  requests.map(({ headers, body }) =>
    [
      new URLSearchParams(body).get('account_id'),
      Buffer.from(headers.authorization!.replace('Basic ', ''), 'base64').toString(),
    ].join(':'),
  );

/** Shows a string with its invisible characters. */
const show = (text: string) =>
  JSON.stringify(text).replace(/[\p{C}\p{DI}\p{Z}\u2800]/gu, (char) =>
    char === ' ' ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** Splits a list into groups of three, one text for each credential. */
const inThrees = <T>(items: readonly T[]) =>
  Array.from({ length: Math.ceil(items.length / 3) }, (_, i) => items.slice(3 * i, 3 * i + 3));

/** The two places that are read without a terminal. */
const SOURCES = [
  { source: 'the environment', runWith: (env: Texts, texts: Texts) => run({ env: { ...env, ...texts } }) },
  {
    source: '.env',
    runWith: (env: Texts, texts: Texts) => run({ env, cwd: folder({ '.env': toDotenv(texts) }) }),
  },
];

describe('values', { concurrency: 4 }, () => {
  for (const [i, patterns] of inThrees(SURROUNDINGS).entries()) {
    const texts = { ...ACCOUNT, ...fillAll(patterns) };
    const title = patterns.map(show).join(' and ');
    const { source, runWith } = SOURCES[i % 2]!;

    it(`are extracted from ${title} in ${source}`, async () => {
      const { requests, url } = await ownMockZoom();
      const { code, stderr } = await runWith({ ZOOM_HOST: url }, texts);
      assert.deepEqual(received(requests), [Object.values(ACCOUNT).join(':')], stderr);
      assert.equal(code, 0);
    });
  }

  it('are extracted from every notation at a prompt', inTerminal, async () => {
    const rounds = inThrees(SURROUNDINGS).map((patterns, nth) => {
      const values = NAMES.map((name) => `${ACCOUNT[name]}${nth}`);
      return { values, texts: NAMES.map((name, i) => fill(patterns[i] ?? 'VALUE', name, values[i])) };
    });
    // Make the script prompt for all three again and again: the server rejects all but the last values.
    const { requests, url } = await ownMockZoom((response, _, nth) =>
      nth < rounds.length ? sendJson(response, 400, {}) : sendJson(response, 200, TOKEN_RESPONSE),
    );
    const cwd = folder();
    const terminal = new Terminal({ env: { ZOOM_HOST: url }, cwd });
    for (const [nth, { values, texts }] of rounds.entries()) {
      for (const [i, name] of NAMES.entries()) await terminal.answer(name, `${texts[i]!.replace(/[\r\n]/g, '')}\r`);
      if (nth + 1 < rounds.length) await terminal.see('Zoom rejected');
      else assert.equal(await terminal.end(), 0);
      assert.equal(received(requests)[nth], values.join(':'));
    }
    assert.deepEqual(Object.values(parse(dotenv(cwd)!)), rounds.at(-1)!.values);
  });

  const hosts = [' VALUE\r', '"VALUE"', '“VALUE/”,', 'export NAME="VALUE"', '$env:NAME = "VALUE"', '"NAME": "VALUE",'];
  for (const [i, pattern] of hosts.entries()) {
    const { source, runWith } = SOURCES[i % 2]!;

    it(`include ZOOM_HOST, extracted from ${show(pattern)} in ${source}`, async () => {
      const { url } = await ownMockZoom();
      const ZOOM_HOST = pattern.replace('NAME', 'ZOOM_HOST').replace('VALUE', url);
      expectRun(await runWith({}, { ...ACCOUNT, ZOOM_HOST }), { code: 0 });
    });
  }

  for (const [i, patterns] of inThrees(PLACEHOLDERS).entries()) {
    const { source, runWith } = SOURCES[i % 2]!;

    it(`are missing if ${source} has ${patterns.map(show).join(' and ')}`, async () => {
      const { requests, url } = await ownMockZoom();
      const stderr = /^Missing credentials: ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, and ZOOM_CLIENT_SECRET\.\n/;
      expectRun(await runWith({ ZOOM_HOST: url }, fillAll(patterns)), { code: 2, stdout: '', stderr });
      assert.equal(requests.length, 0);
    });
  }

  const mistakes = [
    { text: 'ZOOM_HOST=zoom.us', problem: 'sets another variable', remedy: 'Correct the value or its label.' },
    ...REFERENCES.map(({ texts: [text = ''], ...expected }) => ({ text, ...expected })),
    ...['NAME=VALUE', '"NAME": "VALUE",', "'snake_name' => 'VALUE',", 'Title Name: VALUE'].map((pattern, i) => ({
      text: fill(pattern, NAMES[i % 2]!),
      problem: `is labeled ${NAMES[i % 2]}`,
      remedy: 'Correct the value or its label.',
    })),
  ];
  for (const { source, runWith } of SOURCES)
    for (const { text, problem, remedy } of mistakes)
      it(`are not sent if ${source} sets ZOOM_CLIENT_SECRET to ${text}`, async () => {
        const { requests, url } = await ownMockZoom();
        const advice = source === '.env' ? remedy.replace('op run', 'op run --env-file=.env') : remedy;
        const stderr = `ZOOM_CLIENT_SECRET in ${source} ${problem}.\n${advice}\n`;
        const result = await runWith({ ZOOM_HOST: url }, { ...ACCOUNT, ZOOM_CLIENT_SECRET: text });
        expectRun(result, { code: 2, stdout: '', stderr });
        assert.equal(requests.length, 0);
      });

  const labeled = LABELS.map((pattern) => fill(pattern, 'ZOOM_ACCOUNT_ID'));
  for (const { name, cases } of [
    { name: 'placeholders', cases: [{ texts: PLACEHOLDERS, complaint: 'Enter a value.' }] },
    { name: 'values with another label', cases: [{ texts: labeled, complaint: 'This is labeled ZOOM_ACCOUNT_ID.' }] },
    {
      name: 'unresolved references',
      cases: REFERENCES.map(({ texts, problem }) => ({ texts, complaint: `This ${problem}.` })),
    },
  ])
    it(`are neither saved nor sent if ${name} are typed at a prompt`, inTerminal, async () => {
      const cwd = folder();
      const { requests, url } = await ownMockZoom();
      const terminal = new Terminal({ env: { ...ACCOUNT, ZOOM_CLIENT_ID: undefined, ZOOM_HOST: url }, cwd });
      await terminal.see('? ZOOM_CLIENT_ID');
      for (const { texts, complaint } of cases)
        for (const text of texts) {
          terminal.type(`${fill(text, 'ZOOM_CLIENT_ID')}\r`);
          await terminal.see(complaint);
          terminal.type('\x15'); // Ctrl-U
        }
      terminal.type('\x04'); // Ctrl-D
      assert.equal(await terminal.end(), 130);
      assert.equal(dotenv(cwd), undefined);
      assert.equal(requests.length, 0);
    });

  // Generate values from which nothing can be dropped: their ends are neither quotes nor white space.
  const value = fc
    .tuple(
      fc.constantFrom('7', 'a7', '#7', '$7', '%7', '\\7'),
      fc.string({ unit: fc.constantFrom(...`aB3_-=#$%,;"' \\é漢😀./:&+`), maxLength: 16 }),
      fc.constantFrom('7', 'Z', '=', '==', '#', '$', '%', '.'),
    )
    .map((parts) => parts.join(''))
    .filter((value) => !value.includes('://') && !/^%\w+%$/.test(value));
  const blank = fc.string({ unit: fc.constantFrom(...' \t\u00a0\u2003\u00ad\u200b\u2060\ufeff'), maxLength: 3 });
  const surrounding = fc.oneof(
    fc.tuple(blank, blank).map(([before, after]) => `${before}VALUE${after}`),
    fc.constantFrom('"VALUE"', "'VALUE'", '“VALUE”', '„VALUE“', '«VALUE»', '‘VALUE’', 'VALUE,', 'VALUE;'),
  );
  const layers = fc.array(surrounding, { maxLength: 2 });
  const surroundings = fc
    .tuple(layers, fc.constantFrom('VALUE', ...LABELS), layers)
    .map(([inner, label, outer]) => [...inner, label, ...outer]);
  const credential = fc.record({ value, surroundings });
  const source = fc.constantFrom(...(inTerminal.skip ? [] : ['a prompt', 'a prompt']), 'the environment', '.env');

  it(`are sent and saved unchanged, whatever surrounds them (S2S_SEED=${seed})`, async () => {
    const lane = async (_: unknown, nth: number) => {
      const { requests, url } = await ownMockZoom(respondWith(200, TOKEN_RESPONSE));
      const property = fc.asyncProperty(source, fc.tuple(credential, credential, credential), async (source, all) => {
        const wrapped = all.map(({ value, surroundings }, i) => [
          NAMES[i]!,
          surroundings.reduce((text, pattern) => fill(pattern, NAMES[i]!, text), value),
        ]);
        const texts = Object.fromEntries(wrapped);
        const values = Object.fromEntries(all.map(({ value }, i) => [NAMES[i]!, value]));
        requests.length = 0;
        if (source === 'a prompt') {
          const { dotenv } = await session({ env: { ZOOM_HOST: url }, answers: texts });
          assert.deepEqual({ ...parse(dotenv!) }, values);
        } else {
          const { runWith } = SOURCES.find((place) => place.source === source)!;
          expectRun(await runWith({ ZOOM_HOST: url }, texts), { code: 0 });
        }
        assert.deepEqual(received(requests), [Object.values(values).join(':')]);
      });
      await fc.assert(property, { seed: seed + nth, numRuns, endOnFailure: true, includeErrorInReport: true });
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  });
});
