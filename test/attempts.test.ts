/** Faults that may pass: what is tried again, when, and what is said meanwhile. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configured, fails, run, ownStandIn, tcp } from './helpers.ts';
import { GRANTED, json, zoom } from './stand-in.ts';

describe('a transient fault', { concurrency: 12 }, () => {
  for (const status of [408, 429, 500, 502, 503, 504])
    it(`is tried again: ${status}`, async () => {
      const times: number[] = [];
      const server = await ownStandIn((response, received, nth) => {
        times.push(performance.now());
        if (nth === 3) return zoom(response, received, nth);
        // A load balancer has a page for an outage.
        if (nth === 1) return response.writeHead(status).end(status > 500 ? '<html><h1>Sorry</h1></html>' : '');
        return json(response, status, { reason: 'Busy' });
      });
      const result = await run({ env: configured(server) });
      assert.equal(result.code, 0);
      const { host } = new URL(server.url);
      assert.ok(
        result.stderr.startsWith(
          `${host} answered with status ${status}; trying again in 1 second.\n` +
            `${host} answered with "Busy" (${status}); trying again in 2 seconds.\n`,
        ),
        result.stderr,
      );
      const [first = 0, second = 0, third = 0] = times;
      assert.ok(second - first > 950 && third - second > 1950, `${times}`);
    });

  it('ends the run at the third time', async () => {
    const server = await ownStandIn((response) =>
      json(response, 503, { reason: 'Busy' }, { 'x-zm-trackingid': 'id-1' }),
    );
    const busy = 'HOST answered with "Busy" (503)';
    await fails(
      server,
      `${busy}; trying again in 1 second.\n${busy}; trying again in 2 seconds.\n` +
        `${busy}, three times.\nTracking ID, for Zoom's support: id-1\nRun this again in a few minutes.\n`,
    );
    assert.equal(server.requests.length, 3);
  });

  it('is tried again: a reset, and an answer that breaks off', async () => {
    let nth = 0;
    const server = await tcp((socket) =>
      socket.once('data', () => {
        if (++nth === 1) return socket.resetAndDestroy();
        if (nth === 2) return socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"access_');
        return socket.end(`HTTP/1.1 200 OK\r\n\r\n${JSON.stringify(GRANTED)}`);
      }),
    );
    const result = await run({ env: configured(server) });
    assert.equal(result.code, 0);
    const again = `${server.host} broke the connection; trying again in`;
    assert.ok(result.stderr.startsWith(`${again} 1 second.\n${again} 2 seconds.\n`), result.stderr);
  });

  it('is tried again: a stall in the body', async () => {
    let nth = 0;
    const server = await tcp((socket) =>
      socket.once('data', () => {
        if (++nth === 1) return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{');
        return socket.end(`HTTP/1.1 200 OK\r\n\r\n${JSON.stringify(GRANTED)}`);
      }),
    );
    const result = await run({ env: configured(server) });
    assert.equal(result.code, 0);
    const again = `${server.host} gave no answer in 15 seconds; trying again in 1 second.\n`;
    assert.ok(result.stderr.startsWith(again), result.stderr);
  });

  it('is not waited for without end: a stall before the headers', async () => {
    const server = await tcp(() => {});
    const silent = 'HOST gave no answer in 15 seconds';
    const { ms } = await fails(
      server,
      `${silent}; trying again in 1 second.\n${silent}; trying again in 2 seconds.\n` +
        `${silent}, three times.\nCheck the network, and a firewall or VPN in between.\nRun this again in a few minutes.\n`,
    );
    assert.ok(ms > 47_000, `${ms} ms`);
  });

  it('waits as long as Retry-After asks, in seconds or until a date', async () => {
    for (const inSeconds of [true, false]) {
      const asked: number[] = [];
      let until = 0;
      const server = await ownStandIn((response, received, nth) => {
        asked.push(Date.now());
        if (nth > 1) return zoom(response, received, nth);
        const date = new Date(Date.now() + 4000);
        until = inSeconds ? Date.now() + 3000 : Date.parse(date.toUTCString());
        return json(response, 429, {}, { 'Retry-After': inSeconds ? '3' : date.toUTCString() });
      });
      const result = await run({ env: configured(server) });
      assert.equal(result.code, 0);
      assert.match(result.stderr, /^\S+ answered with status 429; trying again in \d seconds?\.\n/);
      assert.ok(asked[1]! >= until, `${asked[1]! - until} ms`);
    }
  });

  it('waits no longer than usual where Retry-After asks for nothing', async () => {
    for (const value of ['0', '-5', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT']) {
      const server = await ownStandIn((response, received, nth) =>
        nth > 1 ? zoom(response, received, nth) : json(response, 503, {}, { 'Retry-After': value }),
      );
      const result = await run({ env: configured(server) });
      assert.equal(result.code, 0);
      assert.match(result.stderr, /trying again in 1 second\.\n/);
    }
  });

  it('ends the run, and tells when to come back, where Retry-After asks for more than 30 seconds', async () => {
    const server = await ownStandIn((response) => json(response, 429, { reason: 'Slow' }, { 'Retry-After': '1800' }));
    const result = await run({ env: configured(server, { TZ: 'UTC' }) });
    const at = new Date(Date.now() + 1_800_000).toISOString().slice(11, 16);
    const [hours = '', minutes = ''] = at.split(':');
    assert.equal(server.requests.length, 1);
    assert.deepEqual([result.code, result.stdout], [1, '']);
    const told =
      /^\S+ answered with "Slow" \(429\) and asks to wait\.\nRun this again at (\d\d):(\d\d), in 30 minutes\.\n$/;
    const [, hour, minute] = told.exec(result.stderr) ?? assert.fail(result.stderr);
    const apart = Number(hours) * 60 + Number(minutes) - Number(hour) * 60 - Number(minute);
    assert.ok([0, 1].includes((apart + 1440) % 1440), result.stderr);
  });

  it('ends the run, and tells the day to come back, where Retry-After asks for more than a day', async () => {
    const server = await ownStandIn((response) => json(response, 429, {}, { 'Retry-After': '172800' }));
    const result = await run({ env: configured(server) });
    const days = [Date.now() + 172_700_000, Date.now() + 172_800_000].map((ms) => new Date(ms).toDateString());
    const [, day = ''] = /\nRun this again at \d\d:\d\d on (\w{3} \w{3} \d\d \d{4})\.\n$/.exec(result.stderr) ?? [];
    assert.ok(days.includes(day), result.stderr);
  });
});
