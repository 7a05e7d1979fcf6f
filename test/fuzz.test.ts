/** Random responses: the script prints exactly the token, or a plain message. For more cases, set S2S_RUNS and S2S_SEED. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { expectPlainText, expectRun, run, startTcpServer, withCredentials } from './helpers.ts';
import { ACCOUNT, BASIC, TOKEN } from './mock-zoom.ts';

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
// Picks transient errors rarely, because a retry takes seconds.
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

it(`prints a token or a plain message, whatever a server responds (S2S_SEED=${seed})`, async () => {
  const lane = async (_: unknown, nth: number) => {
    let bytes: Buffer = Buffer.alloc(0);
    const { url } = await startTcpServer((socket) => socket.once('data', () => socket.end(bytes)));
    const property = fc.asyncProperty(status, headers, wait, body, async (status, headers, wait, body) => {
      const lines = Object.entries({ ...headers, 'Retry-After': wait }).map(([name, value]) => `${name}: ${value}\r\n`);
      bytes = Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n`, 'latin1'), body]);
      const result = await run({ args: ['--token'], env: withCredentials({ url }) });
      if (result.code === 0) {
        const stderr = /^(\S+ [^\n]*; trying again in [^\n]*\n)*$/;
        expectRun(result, { stdout: `${findToken(status, body)}\n`, stderr });
      } else {
        expectRun(result, { code: 1, stdout: '', stderr: /^(?:[^\n]+\n){1,8}$/ });
        expectPlainText(result);
        const isHttp = !/[\x00-\x08\x0a-\x1f\x7f]/.test(Object.values(headers).join(''));
        if (!isHttp || 'Transfer-Encoding' in headers || 'Upgrade' in headers) return;
        assert.equal(findToken(status === 204 ? 0 : status, body), undefined, 'a token in the response is printed');
      }
    });
    await fc.assert(property, { seed: seed + nth, numRuns, endOnFailure: true, includeErrorInReport: true });
  };
  await Promise.all(Array.from({ length: LANES }, lane));
});
