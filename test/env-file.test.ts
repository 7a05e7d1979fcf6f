/** .env keeps every byte that is not a credential's, whatever stands in it. */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { Terminal, folder, inTerminal, ownStandIn } from './helpers.ts';
import { ACCOUNT, GRANTED, json } from './stand-in.ts';

const NAMES = Object.keys(ACCOUNT);
const numRuns = Number(process.env['S2S_RUNS'] ?? 8);
const seed = Number(process.env['S2S_SEED'] ?? 1);

/** What a person may type: printable, no character that prompts cuts in two, no space around it, and dotenv can write it. */
const typed = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(...`abcXYZ019-_.#'"\`\\$ =:é漢/+n`), minLength: 1, maxLength: 24 }),
    fc.constantFrom('#', "it's", '"quoted"', '$HOME', 'a\\nb', "'", 'a # b', '"#', "'#`", '\\', '`#"'),
  )
  .map((value) => value.trim())
  .filter((value) => value !== '' && !['#', "'", '"', '`'].every((mark) => value.includes(mark)));

const UNCLOSED = 'UNCLOSED="abc';

/** Lines of other people's: settings, comments, quotes over several lines, what is no setting, bytes that are no UTF-8. */
const foreign = fc.constantFrom(
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
  'LATIN=caf\xe9',
  'EMPTY=',
  'DOLLAR=$$&$1',
);
/** A credential's line without a value: the text before the value, and the text behind it. */
const blank = fc.tuple(
  fc.constantFrom('', 'export ', '  '),
  fc.constantFrom(...NAMES),
  fc.constantFrom('=', ' = ', ': '),
  fc.constantFrom('', '""', "''"),
  fc.constantFrom('', '  # from the marketplace', ' '),
);
const file = fc.record({
  lines: fc.array(
    fc.oneof(
      foreign,
      blank.map((parts) => parts.join('')),
    ),
    { maxLength: 14 },
  ),
  end: fc.constantFrom('\n', '\r\n'),
  closed: fc.boolean(),
});

it(`holds the credentials as typed and all else byte for byte (S2S_SEED=${seed})`, inTerminal, async () => {
  const standIn = await ownStandIn((response) => json(response, 200, GRANTED));
  const property = fc.asyncProperty(file, fc.tuple(typed, typed, typed), async ({ lines, end, closed }, values) => {
    const cwd = folder();
    const before = Buffer.from(lines.join(end) + (closed && lines.length ? end : ''), 'latin1');
    writeFileSync(join(cwd, '.env'), before);
    const old = parse(before);
    const credentials = Object.fromEntries(NAMES.map((name, i) => [name, values[i]!]));
    const missing = NAMES.filter((name) => !old[name]?.trim());

    const terminal = new Terminal({ env: { ZOOM_HOST: standIn.url }, cwd });
    for (const name of missing) await terminal.answer(name, `${credentials[name]}\r`);
    assert.equal(await terminal.end(), 0);

    const after = readFileSync(join(cwd, '.env'));
    // A quote left open further up, or behind a backslash, can swallow what follows: then there may be no way to write it.
    const saved = missing.filter((name) => !terminal.screen.includes(`${name} is not saved`));
    assert.ok(
      saved.length === missing.length || lines.includes(UNCLOSED) || values.some((value) => /^['"`]|\\$/.test(value)),
    );
    const expected = { ...old, ...Object.fromEntries(saved.map((name) => [name, credentials[name]])) };
    assert.deepEqual({ ...parse(after) }, expected);
    const others = (bytes: Buffer) =>
      bytes
        .toString('latin1')
        .split(/(?<=\n)/)
        .filter((line) => !/^\s*(export )?ZOOM_(ACCOUNT_ID|CLIENT_ID|CLIENT_SECRET)\s*[=:]/.test(line))
        .join('');
    const kept = others(before);
    const lineEnd = before.includes('\r\n') ? '\r\n' : '\n'; // Appended to a last line that had none.
    assert.ok([kept, kept + lineEnd].includes(others(after)), 'every other line is as it was');
  });
  await fc.assert(property, { seed, numRuns, endOnFailure: true, includeErrorInReport: true });
});
