/** Transient errors: which requests are retried, when, and what is reported. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectFailure, expectRun, ownMockZoom, run, startTcpServer, withCredentials } from './helpers.ts';
import { TOKEN_RESPONSE, respondLikeZoom, respondWith, sendJson } from './mock-zoom.ts';

const TOKEN_OVER_TCP = `HTTP/1.1 200 OK\r\n\r\n${JSON.stringify(TOKEN_RESPONSE)}`;

describe('a transient error', { concurrency: 12 }, () => {
  for (const status of [408, 429, 500, 502, 503, 504])
    it(`retries a ${status} after 1 second, then after 2`, async () => {
      const times: number[] = [];
      const server = await ownMockZoom((response, request, nth) => {
        times.push(performance.now());
        if (nth === 3) return respondLikeZoom(response, request, nth);
        // Responds like a load balancer during an outage.
        if (nth === 1) return response.writeHead(status).end(status > 500 ? '<html><h1>Sorry</h1></html>' : '');
        return sendJson(response, status, { reason: 'Busy' });
      });
      const { code, stderr } = await run({ env: withCredentials(server) });
      const { host } = new URL(server.url);
      const expected =
        `${host} answered with status ${status}; trying again in 1 second.\n` +
        `${host} answered with "Busy" (${status}); trying again in 2 seconds.\n`;
      assert.deepEqual({ code, stderr: stderr.slice(0, expected.length) }, { code: 0, stderr: expected });
      const [first = 0, second = 0, third = 0] = times;
      assert.ok(second - first > 950 && third - second > 1950, `${times}`);
    });

  it('gives up after three attempts', async () => {
    const server = await ownMockZoom(respondWith(503, { reason: 'Busy' }, { 'x-zm-trackingid': 'id-1' }));
    const busy = 'HOST answered with "Busy" (503)';
    await expectFailure(
      server,
      `${busy}; trying again in 1 second.\n${busy}; trying again in 2 seconds.\n` +
        `${busy}, three times.\nTracking ID, for Zoom's support: id-1\nRun this again in a few minutes.\n`,
    );
    assert.equal(server.requests.length, 3);
  });

  it('retries after a connection reset and after an incomplete response', async () => {
    let nth = 0;
    const server = await startTcpServer((socket) =>
      socket.once('data', () => {
        if (++nth === 1) return socket.resetAndDestroy();
        return socket.end(nth === 2 ? 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"access_' : TOKEN_OVER_TCP);
      }),
    );
    const retrying = `${server.host} broke the connection; trying again in`;
    const stderr = new RegExp(`^${retrying} 1 second\\.\n${retrying} 2 seconds\\.\n`);
    expectRun(await run({ env: withCredentials(server) }), { code: 0, stderr });
  });

  it('retries if the response stalls in its body', async () => {
    let nth = 0;
    const server = await startTcpServer((socket) =>
      socket.once('data', () => {
        if (++nth === 1) return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{');
        return socket.end(TOKEN_OVER_TCP);
      }),
    );
    const stderr = new RegExp(`^${server.host} gave no answer in 15 seconds; trying again in 1 second\\.\n`);
    expectRun(await run({ env: withCredentials(server) }), { code: 0, stderr });
  });

  it('gives up if a server accepts connections but never responds', async () => {
    const silent = 'HOST gave no answer in 15 seconds';
    const { ms } = await expectFailure(
      await startTcpServer(),
      `${silent}; trying again in 1 second.\n${silent}; trying again in 2 seconds.\n` +
        `${silent}, three times.\nCheck the network, and a firewall or VPN in between.\nRun this again in a few minutes.\n`,
    );
    assert.ok(ms > 47_000, `${ms} ms`);
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
      const stderr = /^\S+ answered with status 429; trying again in \d seconds?\.\n/;
      expectRun(await run({ env: withCredentials(server) }), { code: 0, stderr });
      assert.ok(times[1]! >= until, `${times[1]! - until} ms`);
    });

  for (const value of ['0', '-5', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT'])
    it(`waits 1 second if Retry-After is "${value}"`, async () => {
      const server = await ownMockZoom((response, request, nth) =>
        nth > 1 ? respondLikeZoom(response, request, nth) : sendJson(response, 503, {}, { 'Retry-After': value }),
      );
      const stderr = /trying again in 1 second\.\n/;
      expectRun(await run({ env: withCredentials(server) }), { code: 0, stderr });
    });

  it('gives up and says when to retry if Retry-After exceeds 30 seconds', async () => {
    const server = await ownMockZoom(respondWith(429, { reason: 'Slow' }, { 'Retry-After': '1800' }));
    const result = await run({ env: withCredentials(server, { TZ: 'UTC' }) });
    const message =
      /^\S+ answered with "Slow" \(429\) and asks to wait\.\nRun this again at (\d\d:\d\d), in 30 minutes\.\n$/;
    expectRun(result, { code: 1, stdout: '', stderr: message });
    assert.equal(server.requests.length, 1);
    const now = Date.now();
    // Allows for a minute that passed since the script read the clock.
    const possible = [1740, 1800].map((seconds) => new Date(now + seconds * 1000).toISOString().slice(11, 16));
    assert.ok(possible.includes(message.exec(result.stderr)?.[1] ?? ''), result.stderr);
  });

  it('gives up and says on which day to retry if Retry-After exceeds a day', async () => {
    const server = await ownMockZoom(respondWith(429, {}, { 'Retry-After': '172800' }));
    const { stderr } = await run({ env: withCredentials(server) });
    const possible = [172_700, 172_800].map((seconds) => new Date(Date.now() + seconds * 1000).toDateString());
    const [, day = ''] = /\nRun this again at \d\d:\d\d on (\w{3} \w{3} \d\d \d{4})\.\n$/.exec(stderr) ?? [];
    assert.ok(possible.includes(day), stderr);
  });
});
