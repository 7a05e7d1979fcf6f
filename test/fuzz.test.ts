/** Random responses: the script prints the token or a plain message. S2S_RUNS and S2S_SEED choose how many, and which. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ACCOUNT, BASIC, TOKEN } from './mock-zoom.ts';
import { SEED, checkProperty, expectPlainText, expectRun, run, withCredentials } from './script.ts';
import { startTcpServer } from './servers.ts';

const HOSTILE = ['\u001b[2J', '\u009b1m', '\u0007', '\u202e', '\n', '\0', '"', 'é', '{}', 'client'];
/** Generates random texts, and texts of parts on which a terminal or a parser may act. */
const textOf = (parts: string[]) =>
  fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...parts) }));
const text = textOf([...HOSTILE, ACCOUNT.ZOOM_CLIENT_SECRET, BASIC]);
const field = fc.oneof({ weight: 3, arbitrary: text }, { weight: 1, arbitrary: fc.jsonValue() });
// The token and the scopes are printed as they are, so they do not contain the secret.
const access_token = fc.oneof(fc.constant(TOKEN), fc.string({ minLength: 1 }), textOf(HOSTILE));
const scope = fc.oneof(textOf(HOSTILE), fc.array(textOf(HOSTILE)), fc.double());
const expires_in = fc.oneof(fc.constant(3600), fc.double(), field);
const fields = { access_token, scope, expires_in, reason: field, errorMessage: field, error: field, errorCode: field };
const body = fc.oneof(
  { weight: 5, arbitrary: fc.record(fields, { requiredKeys: [] }).map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 1, arbitrary: fc.json().map((json) => Buffer.from(json)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)) },
);
// Retries take seconds. After 101, each attempt takes 15.
const status = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(200, 200, 299, 400, 401, 403) },
  { weight: 6, arbitrary: fc.integer({ min: 200, max: 499 }).filter((status) => ![408, 429].includes(status)) },
  { weight: 1, arbitrary: fc.constantFrom(100, 103, 199, 408, 429, 500, 503, 599, 600, 999) },
);
const name = fc.constantFrom('Location', 'x-zm-trackingid', 'Content-Encoding', 'Content-Length', 'Transfer-Encoding');
const value = fc.oneof(text, fc.constantFrom('0', '9', 'http://[', 'chunked', 'gzip'));
const headers = fc.dictionary(name, value, { maxKeys: 3 });
const wait = fc.constantFrom('0', '-1', '2', 'soon', '31', '9'.repeat(20), 'Thu, 01 Jan 2099 00:00:00 GMT');
const args = fc.constantFrom<string[]>([], ['--token']);

/** Returns the token in a complete response, or undefined. */
function findToken(status: number, body: Buffer): string | undefined {
  try {
    const { access_token: token } = JSON.parse(String(body));
    return status >= 200 && status < 300 && typeof token === 'string' && /^[ -~]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

it(`prints a token or a plain message, whatever a server sends (${SEED})`, () =>
  checkProperty(fc.record({ status, headers, wait, body, args }), async () => {
    let response = Buffer.alloc(0);
    const { url } = await startTcpServer((socket) => socket.once('data', () => socket.end(response)));
    return async ({ status, headers, wait, body, args }) => {
      const lines = Object.entries({ 'Retry-After': wait, ...headers }).map((header) => header.join(': '));
      const head = Buffer.from([`HTTP/1.1 ${status} Status`, ...lines, '\r\n'].join('\r\n'), 'latin1');
      response = Buffer.concat([head, body]);
      const result = await run({ args, env: withCredentials({ url }) }); // This expects that no secret is printed.
      expectPlainText(result);
      const token = findToken(status, body);
      if (result.code === 0) return assert.equal(result.stdout.split('\n')[args.length ? 0 : 3], token);
      expectRun(result, { code: 1, stdout: '', stderr: /^(?:[^\n]+\n){1,7}$/ });
      // If the head is valid and does not say how long the body is, the body is complete.
      const isComplete = !/[\x00-\x1f\x7f]|Length|Transfer/.test(head.toString('latin1').replaceAll('\r\n', ''));
      return assert.equal(isComplete && status !== 204 ? token : undefined, undefined);
    };
  }));
