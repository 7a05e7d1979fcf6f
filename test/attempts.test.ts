/** Which failed requests are retried, when, and what is reported in the end. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TOKEN, respondLikeZoom, respondWith, sendJson } from './mock-zoom.ts';
import { expectFailure, expectRun, preloading, run, start, withCredentials } from './script.ts';
import { ownMockZoom, startTcpServer } from './servers.ts';

const CHECK_NETWORK = 'Check your network, VPN, and firewall, or set HTTPS_PROXY (Node 22.21+, 24.5+).\n';

describe('the script', { concurrency: 16 }, () => {
  for (const status of [408, 429, 500, 501, 502, 503, 504, 599])
    it(`retries after 1 second, or as many as Retry-After says, if the status is ${status}`, async () => {
      const times: number[] = [];
      const server = await ownMockZoom((response, request, nth) => {
        times.push(performance.now());
        if (nth === 1) return response.writeHead(status).end('<html><h1>Sorry</h1></html>');
        if (nth === 2) return sendJson(response, status, { reason: 'Busy' }, { 'Retry-After': '3' });
        return respondLikeZoom(response, request, nth);
      });
      const result = await run({ args: ['--token'], env: withCredentials(server) });
      const { host } = new URL(server.url);
      const stderr =
        `${host} answered with status ${status}. Retrying in 1 second.\n` +
        `${host} answered with "Busy" (${status}). Retrying in 3 seconds.\n`;
      expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr });
      const [first = 0, second = 0, third = 0] = times;
      assert.ok(second - first > 950 && third - second > 2950 && third - first < 40_000, `${times}`);
    });

  const temporary = ['EAI_AGAIN', 'ETIMEDOUT', 'ECONNRESET', 'EPIPE'];
  const unreachable = ['EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH'];
  const permanent = ['ENOTFOUND', 'ECONNREFUSED', 'EACCES', 'ERR_SSL_BAD_CERTIFICATE'];
  for (const code of [...temporary, ...unreachable, ...permanent])
    it(`${permanent.includes(code) ? 'does not retry' : 'retries'} after ${code}`, async () => {
      const { port } = await ownMockZoom();
      const failingOnce = preloading(`const dns = require('node:dns');
        const { lookup } = dns;
        dns.lookup = (hostname, options, callback) => {
          dns.lookup = lookup;
          process.nextTick(callback, Object.assign(new Error('Failed'), { code: '${code}' }));
        };`);
      const env = withCredentials({ url: `http://localhost:${port}` }, failingOnce);
      const problem = `Cannot reach localhost:${port} (${code}).`;
      const expected = permanent.includes(code)
        ? { code: 1, stdout: '', stderr: `${problem}\n${CHECK_NETWORK}` }
        : { code: 0, stdout: `${TOKEN}\n`, stderr: `${problem} Retrying in 1 second.\n` };
      expectRun(await run({ args: ['--token'], env }), expected);
    });

  it('gives up after three attempts, and reports the last one', async () => {
    const server = await ownMockZoom((response, _, nth) => {
      if (nth === 1) return response.destroy();
      if (nth === 2) return response.writeHead(200, { 'Content-Length': 9 }).write('{', () => response.destroy());
      return sendJson(response, 503, { reason: 'Busy' }, { 'x-zm-trackingid': 'id-1' });
    });
    await expectFailure(
      server,
      'Cannot reach HOST (ECONNRESET). Retrying in 1 second.\nCannot reach HOST (ECONNRESET). Retrying in 2 seconds.\n' +
        'HOST answered with "Busy" (503).\nTracking ID (for Zoom support): id-1\nTry again in a few minutes.\n',
    );
    assert.equal(server.requests.length, 3);
  });

  it('says what to check after three network errors', async () => {
    const reset = 'Cannot reach HOST (ECONNRESET).';
    await expectFailure(
      await startTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
      `${reset} Retrying in 1 second.\n${reset} Retrying in 2 seconds.\n${reset}\n${CHECK_NETWORK}`,
    );
  });

  const soon = ' Retrying in 1 second.';
  const waits = {
    ...{ '30': ' Retrying in 30 seconds.', '31': '\nTry again in 1 minute.', '61': '\nTry again in 2 minutes.' },
    ...{ '86400': '\nTry again in 1440 minutes.', '999999999': '\nTry again in 16666667 minutes.', '1000000000': soon },
    ...{ '0': soon, '-5': soon, '07': soon, '1.5': soon, Infinity: soon, 'Fri, 01 Jan 2100 00:00:00 GMT': soon },
  };
  for (const [after, wait] of Object.entries(waits))
    it(`says "${wait.trim()}" if Retry-After is "${after}"`, async () => {
      const server = await ownMockZoom(respondWith(429, { reason: 'Slow' }, { 'Retry-After': after }));
      const { child, result } = start({ env: withCredentials(server) });
      child.stderr.on('data', (text) => String(text).includes('Retrying') && child.kill('SIGKILL'));
      const { stderr } = await result;
      assert.equal(stderr, `${new URL(server.url).host} answered with "Slow" (429).${wait}\n`);
    });
});
