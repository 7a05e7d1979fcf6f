/** Whatever answers in Zoom's place: the exact token on stdout, or a plain sentence. For a long run S2S_RUNS=1000, with another S2S_SEED. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { assertClean, configured, run, tcp } from './helpers.ts';
import { ACCOUNT, BASIC, GRANTED } from './stand-in.ts';

const LANES = 4;
const numRuns = Math.ceil(Number(process.env['S2S_RUNS'] ?? 12) / LANES);
const seed = Number(process.env['S2S_SEED'] ?? 1);

const nasty = fc.constantFrom(
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
const words = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(nasty).map((parts) => parts.join('x')),
);
const field = fc.oneof({ weight: 3, arbitrary: words }, { weight: 1, arbitrary: fc.jsonValue() });
const answer = fc.record(
  {
    access_token: fc.oneof(fc.constant(GRANTED.access_token), fc.string({ minLength: 1 }), field),
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
  { weight: 5, arbitrary: answer.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: words.map((text) => Buffer.from(`<html>${text}`)) },
);
// What asks to be tried again costs seconds: it is here, but rarely.
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
  words.map((text) =>
    Buffer.from(text, 'latin1')
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

/** The token that the script has to print, for an answer that HTTP has brought whole. */
function grantedToken(status: number, bytes: Buffer): string | undefined {
  try {
    const { access_token: token } = JSON.parse(bytes.toString());
    return status >= 200 && status < 300 && /^[\x20-\x7e]+$/.test(token) && typeof token === 'string'
      ? token
      : undefined;
  } catch {
    return undefined;
  }
}

it(`Zoom, or whatever answers in its place, gets a token or a plain sentence (S2S_SEED=${seed})`, async () => {
  const lane = async (_: unknown, nth: number) => {
    let reply: Buffer = Buffer.alloc(0);
    const { url } = await tcp((socket) => socket.once('data', () => socket.end(reply)));
    const property = fc.asyncProperty(status, headers, wait, body, async (status, headers, wait, body) => {
      const lines = Object.entries({ ...headers, 'Retry-After': wait }).map(([name, value]) => `${name}: ${value}\r\n`);
      reply = Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n`, 'latin1'), body]);
      const { code, signal, stdout, stderr } = await run({ args: ['--token'], env: configured({ url }) });
      if (code === 0) {
        assert.equal(stdout, `${grantedToken(status, body)}\n`);
        assert.match(stderr, /^(\S+ [^\n]*; trying again in [^\n]*\n)*$/);
      } else {
        assert.deepEqual([code, signal, stdout], [1, null, '']);
        assert.match(stderr, /^(?:[^\n]+\n){1,8}$/);
        assertClean({ stdout, stderr });
        const isHttp = !/[\x00-\x08\x0a-\x1f\x7f]/.test(Object.values(headers).join(''));
        if (!isHttp || 'Transfer-Encoding' in headers || 'Upgrade' in headers) return;
        assert.equal(grantedToken(status === 204 ? 0 : status, body), undefined, 'a token that Zoom gave is not lost');
      }
    });
    await fc.assert(property, { seed: seed + nth, numRuns, endOnFailure: true, includeErrorInReport: true });
  };
  await Promise.all(Array.from({ length: LANES }, lane));
});
