/** Time limits at every stage of a request, the notice after three seconds, and signals. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Env,
  S2S,
  S2S_WITHOUT_TSX,
  Terminal,
  dotenv,
  expectRun,
  files,
  folder,
  inTerminal,
  isRoot,
  noProxies,
  ownMockZoom,
  preloading,
  run,
  skipUnless,
  start,
  startTcpServer,
  withCredentials,
  withoutAccountId,
} from './helpers.ts';
import { ACCOUNT, TOKEN, TOKEN_RESPONSE, respondLikeZoom, sendJson } from './mock-zoom.ts';

const { ZOOM_ACCOUNT_ID } = ACCOUNT;
const notLinux = process.platform !== 'linux' && 'only Linux ignores connections while a queue is full';
const zoomUs = { url: 'zoom.us' };

/** Starts a server that responds with `start`, then with `more` every half second. */
function startSlowServer(start: string, more: string) {
  return startTcpServer((socket) => {
    socket.once('data', () => socket.write(start));
    const timer = setInterval(() => socket.write(more), 500);
    socket.once('close', () => clearInterval(timer));
  });
}

/** Starts a server, suspends it, and fills its queue, so that Linux ignores connections until the server resumes. */
async function startStoppedServer() {
  const response = `HTTP/1.1 200 OK\r\n\r\n${JSON.stringify(TOKEN_RESPONSE)}`;
  const code = `const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(${JSON.stringify(response)}));
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    process.kill(process.pid, 'SIGSTOP');
  });`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const sockets: Socket[] = [];
  after(() => {
    sockets.forEach((socket) => socket.destroy());
    child.kill('SIGKILL');
  });
  const [port] = await once(child.stdout, 'data');
  while (!/^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'))) await sleep(5);
  for (let nth = 0; nth < 2; nth++) {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
  }
  return { pid: child.pid, port: Number(port) };
}

describe('an attempt', { concurrency: 12, timeout: 120_000 }, () => {
  const stages: { name: string; skip?: string | false; env: () => Promise<Env> | Env }[] = [
    {
      name: 'looking up the name',
      // Like a real lookup, keeps the process alive.
      env: () => withCredentials(zoomUs, preloading("require('node:dns').lookup = () => setInterval(() => {}, 1000);")),
    },
    {
      name: 'connecting',
      skip: notLinux,
      env: async () => withCredentials({ url: `http://127.0.0.1:${(await startStoppedServer()).port}` }),
    },
    {
      name: 'TLS',
      env: async () => withCredentials({ url: `https://${(await startTcpServer()).host}` }),
    },
    {
      name: 'opening the tunnel of a proxy',
      skip: noProxies,
      env: async () => withCredentials(zoomUs, { HTTPS_PROXY: (await startTcpServer()).url }),
    },
    {
      name: 'TLS with a proxy',
      skip: noProxies,
      env: async () => withCredentials(zoomUs, { HTTPS_PROXY: `https://${(await startTcpServer()).host}` }),
    },
    {
      name: 'TLS through a proxy',
      skip: noProxies,
      env: async () => {
        const proxy = await startTcpServer((socket) =>
          socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n')),
        );
        return withCredentials(zoomUs, { HTTPS_PROXY: proxy.url });
      },
    },
    {
      name: 'waiting for a response',
      env: async () => withCredentials(await startTcpServer()),
    },
    {
      name: 'headers that trickle in',
      env: async () => withCredentials(await startSlowServer('HTTP/1.1 200 OK\r\n', 'X-More: 1\r\n')),
    },
    {
      name: 'a body that stalls',
      env: async () => withCredentials(await startSlowServer('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{', '')),
    },
    {
      name: 'a body that trickles in',
      env: async () => withCredentials(await startSlowServer('HTTP/1.1 200 OK\r\n\r\n{', ' ')),
    },
  ];
  for (const { name, skip = false, env } of stages)
    it(`is given up after 15 seconds, whatever its stage: ${name}`, { skip }, async () => {
      const { child, result } = start({ env: await env() });
      child.stderr.once('data', () => child.kill('SIGKILL'));
      const { stderr, ms } = await result;
      assert.match(stderr, /^\S+ did not respond within 15 seconds; retrying in 1 second\.\n$/);
      // Leave time to start so many processes at once.
      assert.ok(ms > 15_000 && ms < 45_000, `${ms} ms`);
    });

  it('gives each address of a host more than a second to accept the connection', { skip: notLinux }, async () => {
    const { pid, port } = await startStoppedServer();
    // Linux resends a connection request after one second. By then the server is running again, and its first address accepts it.
    const env = preloading(`require('node:dns').lookup = (hostname, options, callback) => {
      setTimeout(() => process.kill(${pid}, 'SIGCONT'), 700);
      process.nextTick(callback, null, [{ address: '127.0.0.1', family: 4 }, { address: '127.0.0.2', family: 4 }]);
    };`);
    const result = await run({ args: ['--token'], env: withCredentials({ url: `http://localhost:${port}` }, env) });
    expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: '' });
    assert.ok(result.ms > 1000, `${result.ms} ms`);
  });

  for (const { where, skip } of [{ where: 'a terminal', ...inTerminal }, { where: 'a pipe' }])
    it(`causes a notice after three seconds, but only in a terminal: ${where}`, { skip: skip ?? false }, async () => {
      const times: number[] = [];
      const server = await ownMockZoom((response, request, nth) => {
        times.push(performance.now());
        // Neither the wait for the next attempt nor a quick response causes a notice.
        if (nth === 1) return sendJson(response, 503, {}, { 'Retry-After': '4' });
        return setTimeout(respondLikeZoom, 4500, response, request, nth);
      });
      const { host } = new URL(server.url);
      const retrying = `${host} answered with status 503; retrying in 4 seconds.\n`;
      if (where === 'a pipe') {
        const result = await run({ args: ['--token'], env: withCredentials(server) });
        return expectRun(result, { code: 0, stdout: `${TOKEN}\n`, stderr: retrying });
      }
      const terminal = new Terminal({ args: ['--token'], env: withCredentials(server) });
      await terminal.see('Waiting');
      const waited = performance.now() - times[0]!;
      assert.equal(await terminal.end(), 0);
      assert.equal(
        terminal.screen.replaceAll('\n', ''),
        `${retrying}Waiting for ${host} …${TOKEN}`.replaceAll('\n', ''),
      );
      assert.ok(waited > 6900, `${waited} ms`);
    });
});

const noSignals = process.platform === 'win32' && 'Windows has no signals';

describe('a signal', { concurrency: 12, timeout: 120_000, skip: noSignals || inTerminal.skip }, () => {
  const signals = [
    { signal: 'Ctrl-C', status: 130, end: /Cancelled\.\n$/ },
    { signal: 'SIGTERM', status: 143, end: /[^\n]\n$/ },
  ];
  /** Sends a signal to a process, or types it, and expects the script to end at once. */
  async function interrupt(terminal: Terminal, { signal, status, end }: (typeof signals)[number], pid?: number) {
    const sent = performance.now();
    if (signal === 'Ctrl-C' && !pid) terminal.type('\x03');
    else process.kill(pid ?? terminal.pid, signal === 'Ctrl-C' ? 'SIGINT' : signal);
    const code = await terminal.end();
    const ms = performance.now() - sent;
    assert.equal(code, status);
    assert.match(terminal.screen, end);
    assert.ok(ms < 5000, `${ms} ms`);
  }

  const waits: { name: string; seen: string; command?: string[]; env: () => Promise<Env> | Env }[] = [
    {
      name: 'Zoom is silent',
      seen: 'Waiting for',
      env: async () => withCredentials(await startTcpServer()),
    },
    {
      name: 'Zoom is silent, under tsx',
      seen: 'Waiting for',
      command: S2S,
      env: async () => withCredentials(await startTcpServer()),
    },
    {
      name: 'it waits for the next attempt',
      seen: 'retrying in 30 seconds.',
      env: async () =>
        withCredentials(await ownMockZoom((response) => sendJson(response, 503, {}, { 'Retry-After': '30' }))),
    },
    {
      name: 'a name server is silent',
      seen: 'Waiting for',
      // Reading from the terminal occupies one of Node's threads, like a lookup, and process.exit() waits for it.
      env: () => {
        const read = "const fs = require('node:fs'); fs.read(fs.openSync('/dev/tty'), () => {});";
        return withCredentials(zoomUs, preloading(`require('node:dns').lookup = () => { ${read} };`));
      },
    },
  ];
  for (const { name, seen, env, ...options } of waits)
    for (const signal of signals)
      it(`ends the script at once while ${name}: ${signal.signal}`, async () => {
        const terminal = new Terminal({ ...options, env: await env() });
        await terminal.see(seen);
        await interrupt(terminal, signal);
      });

  const needsFifo = { skip: skipUnless('command -v mkfifo') };
  it('ends the script at once while .env is a named pipe that nobody writes to: Ctrl-C', needsFifo, async () => {
    const cwd = folder();
    spawnSync('mkfifo', ['.env'], { cwd });
    const opened = open(join(cwd, '.env'), 'w'); // Wait until the script opens it.
    const terminal = new Terminal({ cwd });
    const pipe = await opened;
    await interrupt(terminal, signals[0]!);
    await pipe.close();
  });

  const newPid = ['unshare', '--pid', '--fork', '--kill-child', ...(isRoot ? [] : ['--user', '--map-root-user'])];
  describe('to PID 1', { skip: skipUnless(`${newPid.join(' ')} true`) }, () => {
    for (const signal of signals)
      it(`ends the script at once: ${signal.signal}`, async () => {
        const env = withCredentials(await startTcpServer());
        const terminal = new Terminal({ command: [...newPid, ...S2S_WITHOUT_TSX], env });
        await terminal.see('Waiting for');
        const { pid } = terminal;
        const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
        await interrupt(terminal, signal, Number(child));
      });
  });

  for (const { signal, status } of [
    { signal: 'SIGINT', status: 130 },
    { signal: 'SIGTERM', status: 143 },
  ])
    it(`at a prompt restores the terminal and saves nothing: ${signal}`, async () => {
      const cwd = folder();
      const terminal = new Terminal({ command: S2S, cwd });
      await terminal.see('? ZOOM_ACCOUNT_ID ›');
      process.kill(terminal.pid, signal);
      assert.equal(await terminal.end(), status);
      assert.deepEqual(files(cwd), []);
    });

  for (const { signal, status } of [
    { signal: 'SIGTERM', status: 143 },
    { signal: 'SIGKILL', status: 137 },
  ])
    it(`leaves .env intact, whenever it arrives: ${signal}`, async () => {
      const before = `KEEP=${'x'.repeat(100_000)}\nZOOM_ACCOUNT_ID=`;
      for (let delay = 0; delay < 60; delay += 6) {
        const cwd = folder({ '.env': `${before}\n` });
        let responded = () => {};
        const response = new Promise<void>((resolve) => (responded = resolve));
        const server = await ownMockZoom((...args) => {
          respondLikeZoom(...args);
          responded();
        });
        const terminal = new Terminal({ cwd, env: withoutAccountId(server) });
        await terminal.answer('ZOOM_ACCOUNT_ID', `${ZOOM_ACCOUNT_ID}\r`);
        await response;
        await sleep(delay);
        spawnSync('kill', ['-s', signal.slice(3), `${terminal.pid}`]); // Fails if it has ended.
        const code = await terminal.end();
        assert.ok(code === status || code === 0, `${code}`);
        assert.ok([`${before}\n`, `${before}${ZOOM_ACCOUNT_ID}\n`].includes(dotenv(cwd)!));
        if (signal !== 'SIGKILL') assert.deepEqual(files(cwd), ['.env']);
      }
    });
});
