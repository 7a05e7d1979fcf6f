/** Transient errors: which requests are retried, when, and what is reported. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectFailure, expectRun, ownMockZoom, preloading, run, startTcpServer, withCredentials } from './helpers.ts';
import { TOKEN, TOKEN_RESPONSE, respondLikeZoom, respondWith, sendJson } from './mock-zoom.ts';

describe('the script after a transient error', { concurrency: 12 }, () => {
  // The first response of each pair is like that of a load balancer during an outage.
  for (const statuses of [
    [500, 408],
    [502, 429],
    [503, 520],
    [504, 521],
    [522, 523],
    [524, 500],
  ] as const)
    it(`retries after 1 second, then after 2: ${statuses.join(', ')}`, async () => {
      const times: number[] = [];
      const [first, second] = statuses;
      const server = await ownMockZoom((response, request, nth) => {
        times.push(performance.now());
        if (nth === 3) return respondLikeZoom(response, request, nth);
        if (nth === 1) return response.writeHead(first).end(first > 500 ? '<html><h1>Sorry</h1></html>' : '');
        return sendJson(response, second, { reason: 'Busy' });
      });
      const result = await run({ args: ['--token'], env: withCredentials(server) });
      const { host } = new URL(server.url);
      const stderr =
        `${host} answered with status ${first}; retrying in 1 second.\n` +
        `${host} answered with "Busy" (${second}); retrying in 2 seconds.\n`;
      expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr });
      const [one = 0, two = 0, three = 0] = times;
      assert.ok(two - one > 950 && three - two > 1950, `${times}`);
    });

  for (const { code, problem } of [
    { code: 'EAI_AGAIN', problem: 'Cannot resolve localhost (EAI_AGAIN)' },
    ...['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'].map((code) => ({
      code,
      problem: `Cannot connect to 127.0.0.1:PORT (${code})`,
    })),
    { code: 'ECONNRESET', problem: 'localhost:PORT closed the connection' },
  ])
    it(`retries after a network error that may pass: ${code}`, async () => {
      const { port } = new URL((await ownMockZoom()).url);
      const error = { code, ...(code === 'EAI_AGAIN' ? { hostname: 'localhost' } : { address: '127.0.0.1', port }) };
      const failing = preloading(`const dns = require('node:dns');
        const { lookup } = dns;
        dns.lookup = (hostname, options, callback) => {
          dns.lookup = lookup;
          process.nextTick(callback, Object.assign(new Error('Failed'), ${JSON.stringify(error)}));
        };`);
      const env = withCredentials({ url: `http://localhost:${port}` }, failing);
      const stderr = `${problem.replace('PORT', port)}; retrying in 1 second.\n`;
      expectRun(await run({ args: ['--token'], env }), { code: 0, stdout: `${TOKEN}\n`, stderr });
    });

  it('gives up after three attempts, and reports the last', async () => {
    const server = await ownMockZoom((response, _, nth) => {
      if (nth === 1) return response.destroy();
      if (nth === 2) return sendJson(response, 502, {});
      return sendJson(response, 503, { reason: 'Busy' }, { 'x-zm-trackingid': 'id-1' });
    });
    await expectFailure(
      server,
      'HOST closed the connection; retrying in 1 second.\nHOST answered with status 502; retrying in 2 seconds.\n' +
        'HOST answered with "Busy" (503). This was the third attempt.\n' +
        'Tracking ID (for Zoom support): id-1\nTry again in a few minutes.\n',
    );
    assert.equal(server.requests.length, 3);
  });

  it('says what to check after three network errors', async () => {
    const reset = 'HOST closed the connection';
    await expectFailure(
      await startTcpServer((socket) => socket.resetAndDestroy()),
      `${reset}; retrying in 1 second.\n${reset}; retrying in 2 seconds.\n${reset}. This was the third attempt.\n` +
        'Check your network connection, VPN, and firewall.\nTry again in a few minutes.\n',
    );
  });

  it('retries after an incomplete response', async () => {
    let nth = 0;
    const server = await startTcpServer((socket) =>
      socket.once('data', () => {
        const incomplete = 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"access_';
        return socket.end(++nth === 1 ? incomplete : `HTTP/1.1 200 OK\r\n\r\n${JSON.stringify(TOKEN_RESPONSE)}`);
      }),
    );
    const stderr = `${server.host} closed the connection; retrying in 1 second.\n`;
    expectRun(await run({ args: ['--token'], env: withCredentials(server) }), {
      code: 0,
      stdout: `${TOKEN}\n`,
      stderr,
    });
  });

  for (const format of ['seconds', 'a date'])
    it(`waits as long as Retry-After says, in ${format}`, async () => {
      const times: number[] = [];
      let until = 0;
      const server = await ownMockZoom((response, request, nth) => {
        times.push(Date.now());
        if (nth > 1) return respondLikeZoom(response, request, nth);
        const date = new Date(Date.now() + 4000).toUTCString();
        until = format === 'seconds' ? Date.now() + 3000 : Date.parse(date);
        return sendJson(response, 429, {}, { 'Retry-After': format === 'seconds' ? '3' : date });
      });
      const stderr = /^\S+ answered with status 429; retrying in \d seconds?\.\n/;
      expectRun(await run({ env: withCredentials(server) }), { code: 0, stderr });
      assert.ok(times[1]! >= until, `${times[1]! - until} ms`);
    });

  for (const value of ['0', '-5', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT'])
    it(`waits 1 second if Retry-After is "${value}"`, async () => {
      const server = await ownMockZoom((response, request, nth) =>
        nth > 1 ? respondLikeZoom(response, request, nth) : sendJson(response, 503, {}, { 'Retry-After': value }),
      );
      const stderr = /retrying in 1 second\.\n/;
      expectRun(await run({ env: withCredentials(server) }), { code: 0, stderr });
    });

  it('gives up and says when to retry if Retry-After exceeds 30 seconds', async () => {
    const server = await ownMockZoom(respondWith(429, { reason: 'Slow' }, { 'Retry-After': '1800' }));
    const result = await run({ env: withCredentials(server, { TZ: 'UTC' }) });
    const message =
      /^\S+ answered with "Slow" \(429\) and asked you to wait\.\nTry again at (\d\d:\d\d), in 30 minutes\.\n$/;
    expectRun(result, { code: 1, stdout: '', stderr: message });
    assert.equal(server.requests.length, 1);
    const now = Date.now();
    // The minute may have changed since the script read the clock.
    const possible = [1740, 1800].map((seconds) => new Date(now + seconds * 1000).toISOString().slice(11, 16));
    assert.ok(possible.includes(message.exec(result.stderr)?.[1] ?? ''), result.stderr);
  });

  it('gives up and says on which day to retry if Retry-After exceeds a day', async () => {
    const server = await ownMockZoom(respondWith(429, {}, { 'Retry-After': '172800' }));
    const { stderr } = await run({ env: withCredentials(server) });
    const possible = [172_700, 172_800].map((seconds) => new Date(Date.now() + seconds * 1000).toDateString());
    const [, day = ''] = /\nTry again at \d\d:\d\d on (\w{3} \w{3} \d\d \d{4})\.\n$/.exec(stderr) ?? [];
    assert.ok(possible.includes(day), stderr);
  });
});
