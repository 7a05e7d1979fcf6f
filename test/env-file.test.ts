/** Saving in random .env files: every byte that does not belong to a credential is kept. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { folder, inTerminal, ownMockZoom, session } from './helpers.ts';
import { ACCOUNT, TOKEN_RESPONSE, sendJson } from './mock-zoom.ts';

const NAMES = Object.keys(ACCOUNT);
const numRuns = Number(process.env['S2S_RUNS'] ?? 8);
const seed = Number(process.env['S2S_SEED'] ?? 1);

/** Matches what the script does not take as a value, or takes only in part: see values.test.ts. */
const SPECIAL = [
  /^[^\p{L}\p{N}]*$/u, // Nothing but punctuation.
  /^[^\p{L}\p{N}]*(x[^\p{L}\p{N}]*)+$/iu, // A placeholder.
  /^(.)\1{3,}$/s,
  /^(["'`]).*\1$/s, // In quotes.
  /^# /, // A comment.
  /^\$[A-Z]+$/, // A reference.
  /^\w[\w+.-]*:\/\//,
];

/** Generates a credential that is taken as it is, and that dotenv can represent. */
const credential = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(...`abcXYZ019-_.#'"\`\\$ =:é漢/+n`), minLength: 1, maxLength: 24 }),
    fc.constantFrom('#1', "it's", '"quoted" 1', '$HOME/1', 'a\\nb', "'1", 'a # b', '"#1', "'#`1", '1\\', '`#"1'),
  )
  .map((value) => value.trim())
  .filter((value) => !SPECIAL.some((pattern) => pattern.test(value)))
  .filter((value) => !['#', "'", '"', '`'].every((mark) => value.includes(mark)));

const UNCLOSED = 'UNCLOSED="abc';

/** Generates a line that is not a credential: other settings, comments, values over several lines, invalid text. */
const otherLine = fc.constantFrom(
  '',
  '# a comment',
  '  # it\'s "one" more',
  '#ZOOM_CLIENT_ID=commented-out',
  'PORT=3000',
  'export PATH_TO=/usr/bin # where',
  "  SINGLE = 'a b # c'  # tail",
  'DOUBLE="x\\ny"',
  'YAML: value',
  'MULTI="first\nZOOM_CLIENT_SECRET=inside a value\nlast"',
  'BACK=`a\nZOOM_ACCOUNT_ID=`',
  'NOT_ZOOM_CLIENT_ID=other',
  'ZOOM_CLIENT_ID_2=other',
  'no setting at all',
  UNCLOSED,
  'LATIN=caf\xe9', // Not UTF-8, because the file is written as Latin-1.
  'EMPTY=',
  'DOLLAR=$$&$1',
);
/** Generates a line with a credential that has no value. */
const unsetCredential = fc
  .tuple(
    fc.constantFrom('', 'export ', '  '),
    fc.constantFrom(...NAMES),
    fc.constantFrom('=', ' = ', ': '),
    fc.constantFrom('', '""', "''"),
    fc.constantFrom('', '  # from the marketplace', ' '),
  )
  .map((parts) => parts.join(''));
const file = fc.record({
  lines: fc.array(fc.oneof(otherLine, unsetCredential), { maxLength: 14 }),
  lineEnd: fc.constantFrom('\n', '\r\n'),
  endsLastLine: fc.boolean(),
});

/** Returns all lines of a file except those that set a credential. */
const otherLines = (bytes: Buffer) =>
  bytes
    .toString('latin1')
    .split(/(?<=\n)/)
    .filter((line) => !/^\s*(export )?ZOOM_(ACCOUNT_ID|CLIENT_ID|CLIENT_SECRET)\s*[=:]/.test(line))
    .join('');

it(`saves credentials as typed and keeps all else in .env (S2S_SEED=${seed})`, inTerminal, async () => {
  let accepts = true;
  const server = await ownMockZoom((response) => sendJson(response, 200, accepts ? TOKEN_RESPONSE : {}));
  const values = fc.tuple(credential, credential, credential);
  const property = fc.asyncProperty(file, values, fc.boolean(), async (file, values, hasVerdict) => {
    const { lines, lineEnd, endsLastLine } = file;
    accepts = hasVerdict;
    const before = Buffer.from(lines.join(lineEnd) + (endsLastLine && lines.length ? lineEnd : ''), 'latin1');
    const cwd = folder({ '.env': before });
    const settings = parse(before);
    const answers = Object.fromEntries(
      NAMES.map((name, i) => [name, values[i]!]).filter(([name]) => !settings[name!]?.trim()),
    );

    const { screen } = await session({ env: { ZOOM_HOST: server.url }, cwd, answers, code: accepts ? 0 : 1 });

    const after = readFileSync(join(cwd, '.env'));
    const [, unsaved = ''] = /\nCannot save (.*) in \.env: dotenv would read back/.exec(screen) ?? [];
    const saved = Object.entries(answers).filter(([name]) => !unsaved.includes(name!));
    // Some values cannot be saved after an unclosed quote, or after a backslash at the end of another value.
    const mayFail = lines.includes(UNCLOSED) || values.some((value) => /^['"`]|\\$/.test(value));
    assert.ok(mayFail || saved.length === Object.keys(answers).length);
    assert.deepEqual({ ...parse(after) }, { ...settings, ...Object.fromEntries(saved) });
    const kept = otherLines(before);
    const newline = before.includes('\r\n') ? '\r\n' : '\n'; // Saving adds one if the last line had none.
    assert.ok([kept, kept + newline].includes(otherLines(after)), 'every other line is kept');
  });
  await fc.assert(property, { seed, numRuns, endOnFailure: true, includeErrorInReport: true });
});
