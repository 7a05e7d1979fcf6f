/** Saving in random .env files: it changes the values of credentials, and keeps every other byte. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { ACCOUNT, TOKEN_RESPONSE, sendJson } from './mock-zoom.ts';
import { SEED, checkProperty, folder } from './script.ts';
import { ownMockZoom } from './servers.ts';
import { Terminal, inTerminal } from './terminal.ts';

const NAMES = Object.keys(ACCOUNT);

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
  .map(([mark, lines, newline, endsLast]) => mark + lines.join(newline) + (endsLast ? newline : ''));
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
      if (/LABEL:\r?\n$/.test(before) && after === before)
        return assert.match(
          terminal.words,
          /Cannot save (ZOOM_\w+,? ?)+ in \.env: dotenv would read back something else\. /,
        );
      assert.deepEqual(parseLatin1(after), { ...settings, ...Object.fromEntries(saved) });
      const kept = withoutValues(before);
      const left = withoutValues(after, ...values);
      assert.equal(left.slice(0, kept.length), kept);
      assert.match(left.slice(kept.length), /^(\r?\n)?(ZOOM_\w+=\r?\n)*$/);
    };
  }),
);
