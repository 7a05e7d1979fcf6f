/** Random responses: the script prints exactly the token, or a plain message. For more cases, set S2S_RUNS and S2S_SEED. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { expectPlainText, expectRun, ownMockZoom, run, startTcpServer, withCredentials } from './helpers.ts';
import { ACCOUNT, BASIC, type Handler, TOKEN, respondWith } from './mock-zoom.ts';

const LANES = 4;
const numRuns = Math.ceil(Number(process.env['S2S_RUNS'] ?? 12) / LANES);
const seed = Number(process.env['S2S_SEED'] ?? 1);

const hostile = fc.constantFrom(
  '\u001b[2J',
  '\u009b1m',
  '\u0007',
  '\u202e',
  '\n',
  '\0',
  '"',
  ACCOUNT.ZOOM_CLIENT_SECRET,
  BASIC,
  'é',
  '{}',
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(hostile).map((parts) => parts.join('x')),
);
const field = fc.oneof({ weight: 3, arbitrary: text }, { weight: 1, arbitrary: fc.jsonValue() });
const response = fc.record(
  {
    access_token: fc.oneof(fc.constant(TOKEN), fc.string({ minLength: 1 }), field),
    expires_in: fc.oneof(fc.constant(3600), fc.double(), field),
    scope: field,
    reason: field,
    error: fc.oneof(fc.constantFrom('invalid_client', 'invalid_request', 'unsupported_grant_type'), field),
    errorCode: field,
    errorMessage: field,
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  { weight: 5, arbitrary: response.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 1, arbitrary: fc.json().map((json) => Buffer.from(json)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: text.map((html) => Buffer.from(`<html>${html}`)) },
);
// Pick transient errors rarely, because a retry takes seconds.
const status = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(200, 200, 200, 400, 401, 403) },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      100,
      101,
      103,
      199,
      201,
      204,
      205,
      299,
      300,
      302,
      304,
      399,
      404,
      407,
      451,
      499,
      501,
      505,
      599,
      600,
      999,
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(408, 429, 500, 502, 503, 504) },
);
const value = fc.oneof(
  text.map((value) =>
    Buffer.from(value, 'latin1')
      .toString('latin1')
      .replace(/[\r\n]/g, ''),
  ),
  fc.constantFrom(
    '0',
    '99',
    '99999999999999999999',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    '//evil.example',
    'http://[',
    'chunked',
    'Upgrade',
    'close',
    '5',
  ),
);
const headers = fc.dictionary(
  fc.constantFrom(
    'Location',
    'x-zm-trackingid',
    'Content-Type',
    'Content-Encoding',
    'Transfer-Encoding',
    'Upgrade',
    'Connection',
    'Set-Cookie',
  ),
  value,
  { maxKeys: 3 },
);
const wait = fc.constantFrom('0', '-1', 'soon', '31', '99999999999999999999', 'Thu, 01 Jan 2099 00:00:00 GMT');

/** Returns the token that the script has to print for a complete response, or undefined. */
function findToken(status: number, bytes: Buffer): string | undefined {
  try {
    const { access_token: token } = JSON.parse(bytes.toString());
    return status >= 200 && status < 300 && /^[\x20-\x7e]+$/.test(token) && typeof token === 'string'
      ? token
      : undefined;
  } catch {
    return undefined;
  }
}

/** Calls a check with random inputs, in several lanes at once. Each lane prepares what its runs share. */
async function checkProperty<T>(input: fc.Arbitrary<T>, prepare: () => Promise<(input: T) => Promise<void>>) {
  const lane = async (_: unknown, nth: number) => {
    const property = fc.asyncProperty(input, await prepare());
    await fc.assert(property, { seed: seed + nth, numRuns, endOnFailure: true, includeErrorInReport: true });
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

it(`prints a token or a plain message, whatever a server sends (S2S_SEED=${seed})`, () =>
  checkProperty(fc.record({ status, headers, wait, body }), async () => {
    let bytes: Buffer = Buffer.alloc(0);
    const { url } = await startTcpServer((socket) => socket.once('data', () => socket.end(bytes)));
    return async ({ status, headers, wait, body }) => {
      const lines = Object.entries({ ...headers, 'Retry-After': wait }).map(([name, value]) => `${name}: ${value}\r\n`);
      bytes = Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n`, 'latin1'), body]);
      const result = await run({ args: ['--token'], env: withCredentials({ url }) });
      if (result.code === 0) {
        const stderr = /^(\S+ [^\n]*; retrying in [^\n]*\n)*$/;
        expectRun(result, { stdout: `${findToken(status, body)}\n`, stderr });
      } else {
        expectRun(result, { code: 1, stdout: '', stderr: /^(?:[^\n]+\n){1,8}$/ });
        expectPlainText(result);
        const isHttp = !/[\x00-\x08\x0a-\x1f\x7f]/.test(Object.values(headers).join(''));
        if (!isHttp || 'Transfer-Encoding' in headers || 'Upgrade' in headers) return;
        assert.equal(findToken(status === 204 ? 0 : status, body), undefined, 'a token in the response is printed');
      }
    };
  }));

const alphanumeric = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789');
const randomText = (minLength: number, maxLength: number) =>
  fc.array(alphanumeric, { minLength, maxLength, size: 'max' }).map((characters) => characters.join(''));
/** Generates what may surround or interrupt a secret: words of random length, and characters that are not shown. */
const filler = (hidden: string[]) =>
  fc.oneof(
    fc
      .tuple(fc.constantFrom(' ', '.', '  é', ...hidden), fc.integer({ min: 1, max: 1200 }))
      .map(([unit, length]) => unit.repeat(length)),
    fc.constantFrom('', ' ', '-', ...hidden),
  );
/** Generates the parts of a text: filler, whole secrets, and pieces of secrets. */
const parts = (hidden: string[]) =>
  fc.array(
    fc.record({
      before: filler(hidden),
      secret: fc.nat(2),
      start: fc.nat(9),
      end: fc.nat(9),
      within: fc.constantFrom('', '', ...hidden),
    }),
    { minLength: 1, maxLength: 6 },
  );
const leaky = fc.record({
  id: randomText(4, 22),
  secret: randomText(8, 64),
  token: randomText(20, 900),
  status: fc.constantFrom(200, 302, 400, 501),
  field: fc.constantFrom('reason', 'errorMessage', 'error_description', 'message', 'error'),
  text: parts(['\u200b', '\x1b[31m', '\x07', '\x9b']),
  header: parts([]),
  isList: fc.boolean(),
});

it(`shows no six-character piece of the secret, the Basic credentials, or the token (S2S_SEED=${seed})`, () =>
  checkProperty(leaky, async () => {
    let handler: Handler = () => {};
    const server = await ownMockZoom((...args) => handler(...args));
    return async ({ id, secret, token, status, field, text, header, isList }) => {
      const secrets = [secret, Buffer.from(`${id}:${secret}`).toString('base64'), token];
      const fill = (list: typeof text) =>
        list.map(({ before, secret: nth, start, end, within }) => {
          const piece = secrets[nth]!.slice(start, secrets[nth]!.length - end);
          return before + piece.replace(/.{5}/g, `$&${within}`);
        });
      const scope = isList ? fill(text) : fill(text).join('');
      const headers = { 'x-zm-trackingid': fill(header).join(''), Location: `/${fill(header).join('')}` };
      handler = respondWith(
        status,
        { access_token: token, scope, [field]: fill(text).join('') },
        status === 302 ? headers : { 'x-zm-trackingid': headers['x-zm-trackingid'] },
      );
      const env = withCredentials(server, { ZOOM_CLIENT_ID: id, ZOOM_CLIENT_SECRET: secret });
      const { code, stdout, stderr } = await run({ env });
      assert.equal(code, status === 200 ? 0 : 1);
      // The token itself is the fourth line of the result.
      const shown = stdout.split('\n').toSpliced(3, 1).join('\n') + stderr;
      for (const secret of secrets)
        for (let at = 0; at + 6 <= secret.length; at++)
          assert.ok(!shown.includes(secret.slice(at, at + 6)), `"${secret.slice(at, at + 6)}" is shown: ${shown}`);
      expectPlainText({ stdout, stderr });
    };
  }));
