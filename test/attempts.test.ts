/** Attempts: which failures are retried, and when; the time limit at every stage; and signals during every wait. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fakeClipboard } from './clipboard.ts';
import { ACCOUNT, TOKEN, TOKEN_RESPONSE, respondLikeZoom, respondWith, sendJson } from './mock-zoom.ts';
import { type Env, S2S, S2S_WITHOUT_TSX, expectFailure, expectRun, files, folder } from './script.ts';
import { preloading, run, start, withCredentials } from './script.ts';
import { ownMockZoom, startTcpServer } from './servers.ts';
import { skipWithout, skipWithoutLinux, skipWithoutProxies, unshare } from './skip.ts';
import { Terminal, inTerminal, inUnixTerminal } from './terminal.ts';

/** Lets the first lookup of a name fail with an error code, and the next ones do something else. */
const failingOnce = (code: string, next: string) =>
  preloading(`const dns = require('node:dns'), { lookup } = dns;
    dns.lookup = (hostname, options, callback) => {
      dns.lookup = ${next};
      process.nextTick(callback, Object.assign(new Error('Failed'), { code: '${code}' }));
    };`);

/** Lets the script print how many milliseconds it waits at most. */
const reportingWaits = preloading(`const timers = require('node:timers/promises'), { setTimeout } = timers;
  timers.setTimeout = (ms) => setTimeout(ms, process.stderr.write('[' + ms + ']'));
  require('node:module').syncBuiltinESMExports();`);

describe('the script', { concurrency: 16 }, () => {
  for (const status of [408, 429, 500, 501, 502, 503, 504, 599])
    it(`retries after 1 second, or as many as Retry-After says, if the status is ${status}`, async () => {
      const server = await ownMockZoom((response, request, nth) => {
        if (nth === 1) return response.writeHead(status).end('<html><h1>Sorry</h1></html>');
        if (nth === 2) return sendJson(response, status, { reason: 'Busy' }, { 'Retry-After': '3' });
        return respondLikeZoom(response, request, nth);
      });
      const result = await run({ args: ['--token'], env: withCredentials(server, reportingWaits) });
      const { host } = new URL(server.url);
      const stderr =
        `[15000]${host} answered with status ${status}. Retrying in 1 second.\n[1000]` +
        `[15000]${host} answered with "Busy" (${status}). Retrying in 3 seconds.\n[3000][15000]`;
      expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr });
      assert.ok(result.ms > 4000, `${result.ms} ms`);
    });

  const temporary = ['EAI_AGAIN', 'ETIMEDOUT', 'ECONNRESET', 'EPIPE'];
  const unreachable = ['EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH'];
  const permanent = ['ENOTFOUND', 'ECONNREFUSED', 'EACCES', 'ERR_SSL_BAD_CERTIFICATE'];
  for (const code of [...temporary, ...unreachable, ...permanent])
    it(`${permanent.includes(code) ? 'does not retry' : 'retries'} after ${code}`, async () => {
      const { port } = await ownMockZoom();
      const env = withCredentials({ url: `http://localhost:${port}` }, failingOnce(code, 'lookup'));
      const problem = `Cannot reach localhost:${port} (${code}).`;
      const expected = permanent.includes(code)
        ? { code: 1, stdout: '', stderr: `${problem}\nCheck ZOOM_HOST (http://localhost:${port}).\n` }
        : { code: 0, stdout: `${TOKEN}\n`, stderr: `${problem} Retrying in 1 second.\n` };
      expectRun(await run({ args: ['--token'], env }), expected);
    });

  const reset = 'Cannot reach HOST (ECONNRESET).';
  const retries = `${reset} Retrying in 1 second.\n${reset} Retrying in 2 seconds.\n`;
  it('gives up after three attempts, and reports the last one', async () => {
    const server = await ownMockZoom((response, _, nth) => {
      if (nth === 1) return response.destroy();
      if (nth === 2) return response.writeHead(200, { 'Content-Length': 9 }).write('{', () => response.destroy());
      return sendJson(response, 503, { reason: 'Busy' }, { 'x-zm-trackingid': 'id-1' });
    });
    const details = 'Tracking ID (for Zoom support): id-1\nTry again in a few minutes.\n';
    await expectFailure(server, `${retries}HOST answered with "Busy" (503).\n${details}`);
    assert.equal(server.requests.length, 3);
  });

  it('says what to check after three network errors', async () => {
    const server = await startTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    await expectFailure(server, `${retries}${reset}\nCheck ZOOM_HOST (ORIGIN).\n`);
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

const OK = 'HTTP/1.1 200 OK\r\n';

/** Returns variables for a server that responds with some text, then with more every half second. */
async function slowly(text = '', more = '') {
  const server = await startTcpServer((socket) =>
    socket.once('data', () => {
      socket.write(text);
      const timer = setInterval(() => socket.write(more), 500);
      socket.once('close', () => clearInterval(timer));
    }),
  );
  return withCredentials(server);
}

/** Returns variables for Zoom behind a proxy that responds with some text, then with nothing. */
async function behindProxy(protocol: string, text = '') {
  const { host } = await startTcpServer((socket) => socket.once('data', () => socket.write(text)));
  return { ...ACCOUNT, HTTPS_PROXY: `${protocol}://${host}` };
}

/** Starts a server, fills its queue, and stops it, so that Linux ignores connections. */
async function startStoppedServer() {
  const code = `const net = require('node:net');
    const server = net.createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      const { port } = server.address();
      for (let nth = 0; nth < 2; nth++) net.connect(port, '127.0.0.1');
      process.nextTick(() => {
        require('node:fs').writeSync(1, String(port));
        process.kill(process.pid, 'SIGSTOP');
      });
    });`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  after(() => child.kill('SIGKILL'));
  const [port] = await once(child.stdout, 'data');
  return { port: Number(port), url: `http://127.0.0.1:${port}` };
}

describe('an attempt', { concurrency: 20, timeout: 120_000 }, () => {
  // Like a real lookup, keep the process alive.
  const silence = '() => setInterval(() => {}, 1000)';
  const silentLookup = preloading(`require('node:dns').lookup = ${silence}`);
  const stages: { name: string; skip?: string | false; env: () => Promise<Env> | Env }[] = [
    { name: 'looking up the name', env: () => ({ ...ACCOUNT, ...silentLookup }) },
    { name: 'connecting', skip: skipWithoutLinux, env: async () => withCredentials(await startStoppedServer()) },
    { name: 'TLS', env: async () => withCredentials({ url: `https://${(await startTcpServer()).host}` }) },
    { name: 'opening the tunnel of a proxy', skip: skipWithoutProxies, env: () => behindProxy('http') },
    { name: 'TLS with a proxy', skip: skipWithoutProxies, env: () => behindProxy('https') },
    { name: 'TLS through a proxy', skip: skipWithoutProxies, env: () => behindProxy('http', `${OK}\r\n`) },
    { name: 'waiting for a response', env: () => slowly() },
    { name: 'preliminary responses', env: () => slowly('', 'HTTP/1.1 103 Early Hints\r\n\r\n') },
    { name: 'a new protocol', env: () => slowly('HTTP/1.1 101 Hi\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n') },
    { name: 'headers that trickle in', env: () => slowly(OK, 'X-More: 1\r\n') },
    { name: 'a body that stalls', env: () => slowly(`${OK}Content-Length: 99\r\n\r\n{`) },
    { name: 'a body that trickles in', env: () => slowly(`${OK}\r\n{`, ' ') },
  ];
  for (const { name, skip = false, env } of stages)
    it(`ends after 15 seconds, whatever its stage: ${name}`, { skip }, async () => {
      const variables = await env();
      const { child, result } = start({ env: variables });
      child.stderr.once('data', () => child.kill('SIGKILL'));
      const { stderr, ms } = await result;
      const host = variables['ZOOM_HOST']?.split('://')[1] ?? 'zoom.us';
      assert.equal(stderr, `${host} did not respond within 15 seconds. Retrying in 1 second.\n`);
      assert.ok(ms > 15_000, `${ms} ms`);
    });

  it('causes one notice after three seconds in a terminal, and ends after 15', inTerminal, async () => {
    // The first attempt fails at once. Neither it nor the wait for the next one causes a notice.
    const started = performance.now();
    const terminal = new Terminal({ env: { ...ACCOUNT, ...failingOnce('EAI_AGAIN', silence) } });
    await terminal.see('Waiting for');
    const noticed = performance.now();
    await terminal.see('Retrying in 2 seconds.');
    const ended = performance.now();
    const first = 'Cannot reach zoom.us (EAI_AGAIN). Retrying in 1 second. Waiting for zoom.us …';
    const second = 'zoom.us did not respond within 15 seconds. Retrying in 2 seconds.';
    assert.equal(terminal.words.trim(), `${first} ${second}`);
    assert.ok(noticed - started > 4000 && ended - noticed < 40_000, `${[started, noticed, ended]}`);
  });

  it('has 2.5 seconds for each address of a host', { skip: skipWithoutLinux }, async () => {
    const { port } = await startStoppedServer();
    const server = createServer((_, response) => sendJson(response, 200, TOKEN_RESPONSE)).listen(port, '127.0.0.2');
    after(() => server.close());
    const addresses = "[{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }]";
    const env = preloading(`require('node:dns').lookup = (_, options, callback) => callback(null, ${addresses});`);
    const result = await run({ args: ['--token'], env: withCredentials({ url: `http://localhost:${port}` }, env) });
    expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
    assert.ok(result.ms > 2500, `${result.ms} ms`);
  });
});

const signals = [
  { signal: 'SIGINT', code: 130, message: 'Cancelled.\n' },
  { signal: 'SIGTERM', code: 143, message: 'Terminated.\n' },
] as const;

describe('a signal', { concurrency: 8, timeout: 120_000, skip: inUnixTerminal.skip }, () => {
  /** Types Ctrl-C, or sends a signal to a process, and expects the script to end at once. */
  async function interrupt(terminal: Terminal, { signal, code, message }: (typeof signals)[number], pid?: number) {
    const sent = performance.now();
    if (signal === 'SIGINT' && !pid) terminal.type('\x03');
    else process.kill(pid ?? terminal.pid, signal);
    assert.equal(await terminal.end(), code);
    assert.ok(performance.now() - sent < 10_000, `${performance.now() - sent} ms`);
    // The message is on a line of its own, behind ^C. A shell may report the signal, too.
    assert.match(terminal.screen, new RegExp(`\n${message}(Terminated\n)?$`));
  }

  // Reading from the terminal occupies one of Node's threads, like a lookup, and process.exit() waits for it.
  const read = "const fs = require('node:fs'); fs.read(fs.openSync('/dev/tty'), () => {});";
  const blockingLookup = `require('node:dns').lookup = () => { ${read} };`;
  const busy = respondWith(503, {}, { 'Retry-After': '30' });
  const hanging = fakeClipboard('echo Copying >/dev/tty; exec sleep 15');
  const waits: { name: string; seen?: string; command?: string[]; env?: () => Promise<Env> | Env }[] = [
    { name: 'it prompts', seen: '? ZOOM_ACCOUNT_ID ›' },
    { name: 'Zoom is silent', env: () => slowly() },
    { name: 'Zoom is silent, under tsx', env: () => slowly(), command: S2S },
    { name: 'it waits for another try', env: async () => withCredentials(await ownMockZoom(busy)), seen: 'Retrying' },
    { name: 'a clipboard hangs', env: async () => withCredentials(await ownMockZoom(), hanging), seen: 'Copying' },
    { name: 'a name server is silent', env: () => ({ ...ACCOUNT, ...preloading(blockingLookup) }) },
  ];
  for (const signal of signals) {
    for (const { name, seen = 'Waiting for', env, ...options } of waits)
      it(`ends the script at once while ${name}: ${signal.signal}`, async () => {
        const cwd = folder();
        const terminal = new Terminal({ ...options, cwd, env: (await env?.()) ?? {} });
        await terminal.see(seen);
        await interrupt(terminal, signal);
        assert.deepEqual(files(cwd), []);
      });

    it(`is what ends the script, so that a shell knows: ${signal.signal}`, async () => {
      const server = await startTcpServer((socket) => socket.once('data', () => child.kill(signal.signal)));
      const { child, result } = start({ env: withCredentials(server) });
      const { code, signal: ending, stdout, stderr } = await result;
      const expected = { code: null, ending: signal.signal, stdout: '', stderr: signal.message };
      assert.deepEqual({ code, ending, stdout, stderr }, expected);
    });
  }

  const needsFifo = { skip: skipWithout('command -v mkfifo') };
  it('ends the script at once while .env is a named pipe that nobody writes to', needsFifo, async () => {
    const cwd = folder();
    spawnSync('mkfifo', ['.env'], { cwd });
    const opened = open(join(cwd, '.env'), 'w'); // Wait until the script opens it.
    const terminal = new Terminal({ cwd });
    const pipe = await opened;
    await interrupt(terminal, signals[0]);
    await pipe.close();
  });

  const newPid = unshare('--pid', '--fork', '--kill-child');
  const skip = skipWithout(`${newPid.join(' ')} true`);
  for (const signal of signals)
    it(`ends the script at once if it is PID 1: ${signal.signal}`, { skip }, async () => {
      const terminal = new Terminal({ command: [...newPid, ...S2S_WITHOUT_TSX], env: await slowly() });
      await terminal.see('Waiting for');
      const { pid } = terminal;
      const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
      await interrupt(terminal, signal, Number(child));
    });
});
