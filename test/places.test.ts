/** Where people work: over SSH, in scripts, with several accounts, behind proxies. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'dotenv';
import {
  type Env,
  S2S_ALONE,
  S2S_LINE,
  Terminal,
  X11,
  answerAll,
  configured,
  environment,
  files,
  folder,
  helper,
  inTerminal,
  lacking,
  noHelper,
  onlyLinux,
  ownStandIn,
  root,
  run,
  shell,
  startX11,
  trustedStandIn,
} from './helpers.ts';
import { ACCOUNT, GRANTED, TOKEN, json, startStandIn } from './stand-in.ts';

const PRINTED = 'Zoom Server-to-Server Oauth token:\n';
const ASKED = 'Asked your terminal to copy it.';
const OSC52 = `\x1b]52;c;${Buffer.from(TOKEN).toString('base64')}\x07`;

describe('the script', { concurrency: 4 }, () => {
  let standIn: Awaited<ReturnType<typeof startStandIn>>;
  before(async () => (standIn = await startStandIn()));
  after(() => standIn.close());

  describe('over SSH', { concurrency: 2 }, () => {
    it('puts the token in the clipboard of the terminal: tmux', { skip: lacking('tmux -V') }, async () => {
      const cwd = folder();
      writeFileSync(join(cwd, 'tmux.conf'), 'set -s set-clipboard on\nset -g default-terminal screen\n');
      const env = environment(configured(standIn));
      const tmux = (...args: string[]) =>
        execFileSync('tmux', ['-S', join(cwd, 'socket'), '-f', join(cwd, 'tmux.conf'), ...args], {
          cwd,
          env,
          encoding: 'utf8',
        });
      tmux('new-session', '-d', '-x', '80', '-y', '50', `${S2S_LINE}; echo "status $?"; sleep 60`);
      try {
        let screen = '';
        while (!/status \d+/.test((screen = tmux('capture-pane', '-p')))) await sleep(50);
        assert.match(screen, /status 0/);
        assert.ok(screen.includes(ASKED));
        assert.ok(!screen.includes('copied'));
        assert.equal(tmux('show-buffer'), TOKEN);
      } finally {
        tmux('kill-server');
      }
    });

    it(
      "leaves the remote machine's clipboard alone, but not one that X11 forwards",
      { skip: lacking(...X11) },
      async () => {
        const x11 = await startX11();
        const env = configured(standIn, { ...x11.env, SSH_TTY: '/dev/pts/0' });
        const remote = new Terminal({ env });
        assert.equal(await remote.end(), 0);
        assert.ok(remote.raw.includes(OSC52));
        assert.ok(remote.screen.includes(`${ASKED}\n`) && remote.screen.includes(PRINTED));
        assert.equal(await x11.paste(), undefined, 'nothing is in the clipboard');
        const forwarded = new Terminal({ env: { ...env, ...(await x11.forward()) } });
        assert.equal(await forwarded.end(), 0);
        assert.ok(!forwarded.raw.includes(OSC52) && forwarded.screen.includes('copied to clipboard'));
        assert.equal(await x11.paste(), TOKEN);
      },
    );

    it(
      'asks the terminal too where there is no clipboard without SSH',
      { skip: onlyLinux || inTerminal.skip },
      async () => {
        const terminal = new Terminal({ env: configured(standIn, { SSH_CONNECTION: undefined }) });
        assert.equal(await terminal.end(), 0);
        assert.ok(terminal.raw.includes(OSC52));
        assert.match(
          terminal.screen,
          /\nNo clipboard here \(there is no display\)\. Asked your terminal to copy it\.\nExpires at /,
        );
      },
    );

    it('sends the terminal nothing where stdout is none', inTerminal, async () => {
      const cwd = folder();
      const piped = new Terminal({ command: shell('| tee out'), cwd, env: configured(standIn) });
      assert.equal(await piped.end(), 0);
      assert.ok(!piped.raw.includes('\x1b]52') && !readFileSync(join(cwd, 'out'), 'utf8').includes('\x1b'));
      assert.match(piped.screen, /No clipboard here \(this is an SSH session\): copy the token from the output\.\n/);
    });

    it(
      'sends the terminal nothing where the clipboard has the token',
      { skip: inTerminal.skip || noHelper },
      async () => {
        const COPY = join(folder(), 'copy');
        const local = new Terminal({ env: configured(standIn, { ...helper('cat > "$COPY"'), COPY }) });
        assert.equal(await local.end(), 0);
        assert.ok(!local.raw.includes('\x1b]52'));
        assert.equal(readFileSync(COPY, 'utf8'), TOKEN);
      },
    );

    it('sends a terminal nothing that cannot take it: GNU screen, and a dumb one', inTerminal, async () => {
      for (const env of [
        { TERM: 'screen' },
        { TERM: 'screen.xterm-256color' },
        { TERM: 'xterm', STY: '1.pts-0.host' },
        { TERM: 'dumb' },
      ]) {
        const terminal = new Terminal({ env: configured(standIn, env) });
        assert.equal(await terminal.end(), 0);
        assert.ok(!terminal.raw.includes('\x1b'));
        assert.match(
          terminal.screen,
          /\nNo clipboard here \(this is an SSH session\): copy the token from the output\.\n/,
        );
      }
    });

    it('spills nothing over the screen of GNU screen', { skip: lacking('screen --version') }, async () => {
      const cwd = folder();
      const env = environment(configured(standIn, { SCREENDIR: join(cwd, 'sockets') }));
      mkdirSync(join(cwd, 'sockets'), { mode: 0o700 });
      const screen = (...args: string[]) => execFileSync('screen', ['-S', 's2s', ...args], { cwd, env, stdio: 'pipe' });
      screen('-d', '-m', '-c', '/dev/null', 'sh', '-c', `${S2S_LINE}; echo "status $?"; sleep 60`);
      try {
        let shown = '';
        while (!/status \d+/.test(shown)) {
          await sleep(50);
          screen('-p', '0', '-X', 'hardcopy', '-h', join(cwd, 'hardcopy'));
          shown = existsSync(join(cwd, 'hardcopy')) ? readFileSync(join(cwd, 'hardcopy'), 'utf8') : '';
        }
        assert.match(shown, /status 0/);
        assert.equal(shown.replaceAll('\n', '').split(TOKEN).length, 2);
        assert.ok(!shown.replaceAll('\n', '').includes(OSC52.slice(-40, -1)));
      } finally {
        screen('-X', 'quit');
      }
    });

    const onlyMac = process.platform !== 'darwin' && 'only a Mac has pbcopy';
    it('leaves the clipboard of a Mac reached by ssh -X alone', { skip: onlyMac }, async () => {
      const LOG = join(folder(), 'log');
      const env = { ...helper('echo called > "$LOG"'), LOG, DISPLAY: 'localhost:10.0', SSH_TTY: '/dev/ttys0' };
      const { stdout, stderr } = await run({ env: configured(standIn, env) });
      assert.ok(stdout.includes(PRINTED) && stderr.startsWith('No clipboard here (this is an SSH session): '));
      assert.ok(!existsSync(LOG));
    });
  });

  describe('in scripts', { concurrency: 2 }, () => {
    it('prints the token alone with --token', async () => {
      const { code, stdout, stderr } = await run({ args: ['--token'], env: configured(standIn) });
      assert.deepEqual([code, stdout, stderr], [0, `${TOKEN}\n`, '']);
    });

    it("leaves every clipboard alone with --token: the system's", { skip: noHelper }, async () => {
      const LOG = join(folder(), 'log');
      const env = configured(standIn, { ...helper('echo called > "$LOG"'), LOG });
      const { code, stdout, stderr } = await run({ args: ['--token'], env });
      assert.deepEqual([code, stdout, stderr], [0, `${TOKEN}\n`, '']);
      assert.ok(!existsSync(LOG));
    });

    it("leaves every clipboard alone with --token: the terminal's", inTerminal, async () => {
      const terminal = new Terminal({ args: ['--token'], env: configured(standIn) });
      assert.equal(await terminal.end(), 0);
      assert.equal(terminal.raw.replace(/\r\n/, '\n'), `${TOKEN}\n`);
    });

    it("prints Zoom's answer with --json, untouched, and when it expires", async () => {
      const own = await ownStandIn((response) =>
        json(response, 200, { ...GRANTED, odd: ['\u009b1m', null, 1.5, { a: '\u007f\ud83d\ude00' }] }),
      );
      const before = Date.now();
      const { code, stdout, stderr } = await run({ args: ['--json'], env: configured(own) });
      const { expires_at, ...rest } = JSON.parse(stdout);
      assert.deepEqual([code, stderr], [0, '']);
      assert.deepEqual(rest, { ...GRANTED, odd: ['\u009b1m', null, 1.5, { a: '\u007f\ud83d\ude00' }] });
      assert.match(expires_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const seconds = (Date.parse(expires_at) - before) / 1000;
      assert.ok(seconds >= GRANTED.expires_in && seconds < GRANTED.expires_in + 20, `${seconds}`);
      assert.doesNotMatch(stdout, /[^\n\P{Cc}]/u);
    });

    it('leaves expires_at out where Zoom does not say, and as it is where Zoom does', async () => {
      for (const answer of [{ access_token: TOKEN }, { access_token: TOKEN, expires_in: 1, expires_at: 'noon' }]) {
        const own = await ownStandIn((response) => json(response, 200, answer));
        const { stdout } = await run({ args: ['--json'], env: configured(own) });
        assert.deepEqual(JSON.parse(stdout), answer);
      }
    });

    it('asks in the terminal also with --token, since questions are on stderr', inTerminal, async () => {
      const cwd = folder();
      const terminal = new Terminal({ command: shell('--token > out'), cwd, env: { ZOOM_HOST: standIn.url } });
      await answerAll(terminal);
      assert.equal(await terminal.end(), 0);
      assert.equal(readFileSync(join(cwd, 'out'), 'utf8'), `${TOKEN}\n`);
    });

    it('prints help and its version on stdout, whatever else is missing', async () => {
      const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
      for (const flag of ['--version', '-v'])
        assert.deepEqual(await run({ args: [flag] }).then(({ code, stdout, stderr }) => [code, stdout, stderr]), [
          0,
          `${version}\n`,
          '',
        ]);
      for (const flag of ['--help', '-h']) {
        const { code, stdout, stderr } = await run({ args: [flag] });
        assert.deepEqual([code, stderr], [0, '']);
        for (const word of [
          ...Object.keys(ACCOUNT),
          'ZOOM_HOST',
          'api.zoomgov.com',
          'DOTENV_PATH',
          'HTTPS_PROXY',
          'NODE_EXTRA_CA_CERTS',
          '--token',
          '--json',
          '130',
        ])
          assert.ok(stdout.includes(word), word);
        assert.doesNotMatch(stdout, /.{81}/);
      }
    });

    it('is no success where help cannot be written', { skip: lacking('bash --version') }, async () => {
      const { code, stderr } = await run({ command: shell('--help 1< "$BASH"') });
      assert.deepEqual([code, stderr], [1, 'Cannot write the result: bad file descriptor.\n']);
    });

    it('refuses flags that it does not know, or that contradict: one sentence, exit 2, Zoom not asked', async () => {
      const own = await ownStandIn();
      for (const [args, words] of [
        [['--tokne'], "Unknown option '--tokne': see npx tsx s2s.ts --help.\n"],
        [['--client-secret=SeCrEt'], "Unknown option '--client-secret': see npx tsx s2s.ts --help.\n"],
        [['--token=SeCrEt'], "Option '--token' does not take an argument: see npx tsx s2s.ts --help.\n"],
        [['SeCrEt'], 'Flags only, no other words: see npx tsx s2s.ts --help.\n'],
        [['--json', '--token'], '--token and --json exclude each other: give one of them.\n'],
      ] as const) {
        const { code, stdout, stderr } = await run({ args: [...args], env: configured(own) });
        assert.deepEqual([code, stdout, stderr], [2, '', words]);
      }
      assert.equal(own.requests.length, 0);
    });
  });

  it('loads the packages of the prompt and of the clipboard only where they are used', async () => {
    const cwd = folder();
    for (const name of ['s2s.ts', 'package.json']) copyFileSync(join(root, name), join(cwd, name));
    mkdirSync(join(cwd, 'node_modules'));
    symlinkSync(join(root, 'node_modules/dotenv'), join(cwd, 'node_modules/dotenv'), 'junction');
    for (const name of ['clipboardy', 'prompts']) {
      mkdirSync(join(cwd, 'node_modules', name));
      const trap = `require('node:fs').appendFileSync(${JSON.stringify(join(cwd, 'log'))}, '${name} ')`;
      writeFileSync(join(cwd, 'node_modules', name, 'index.js'), trap);
      writeFileSync(join(cwd, 'node_modules', name, 'package.json'), '{}');
    }
    const command = S2S_ALONE.with(-1, join(cwd, 's2s.ts'));
    const loaded = async (args: string[], env: Env) => {
      writeFileSync(join(cwd, 'log'), '');
      await run({ args, env, command });
      return readFileSync(join(cwd, 'log'), 'utf8');
    };
    const clipboard = noHelper ? {} : helper('cat > /dev/null');
    if (!noHelper) assert.equal(await loaded([], configured(standIn, clipboard)), 'clipboardy ');
    for (const [args, env] of [
      [['--help'], clipboard],
      [['--token'], configured(standIn, clipboard)],
      [['--json'], configured(standIn, clipboard)],
      [['--token'], configured(standIn, { ...clipboard, ZOOM_CLIENT_SECRET: 'wrong' })],
      [['--tokne'], configured(standIn, clipboard)],
      [[], clipboard],
      [[], configured({ url: 'https://example.com' }, clipboard)],
      [[], configured(standIn)],
      ...(onlyLinux ? [] : [[[], configured(standIn, { SSH_CONNECTION: undefined })] as const]),
    ] as const)
      assert.equal(await loaded([...args], env), '');
  });

  it('reads and saves another file with DOTENV_PATH, and names it', inTerminal, async () => {
    const cwd = folder();
    writeFileSync(join(cwd, '.env'), 'ZOOM_CLIENT_ID=other\n');
    writeFileSync(join(cwd, '.env.staging'), `ZOOM_HOST=${standIn.url}\nZOOM_CLIENT_ID=${ACCOUNT.ZOOM_CLIENT_ID}\n`);
    const env = { DOTENV_PATH: '.env.staging', ZOOM_ACCOUNT_ID: ACCOUNT.ZOOM_ACCOUNT_ID };
    const unasked = await run({ cwd, env });
    assert.match(unasked.stderr, /^Set ZOOM_CLIENT_SECRET\nin the environment or in \.env\.staging, /);
    const terminal = new Terminal({ cwd, env });
    await terminal.answer('ZOOM_CLIENT_SECRET', `${ACCOUNT.ZOOM_CLIENT_SECRET}\r`);
    assert.equal(await terminal.end(), 0);
    assert.match(terminal.screen, /\nSaved ZOOM_CLIENT_SECRET in \.env\.staging\.\n/);
    assert.equal(parse(readFileSync(join(cwd, '.env.staging')))['ZOOM_CLIENT_SECRET'], ACCOUNT.ZOOM_CLIENT_SECRET);
    assert.equal(readFileSync(join(cwd, '.env'), 'utf8'), 'ZOOM_CLIENT_ID=other\n');
    assert.deepEqual(files(cwd), ['.env', '.env.staging']);
  });

  it('names the hosts of Zoom for Government', async () => {
    const { code, stderr } = await run({ env: { ...ACCOUNT, ZOOM_HOST: 'https://zoomgov.com' } });
    assert.equal(code, 1);
    assert.match(stderr, /^The name of zoomgov\.com is not found /);
  });

  it('names the marketplace of Zoom for Government', inTerminal, async () => {
    const terminal = new Terminal({ env: { ZOOM_HOST: 'zoomgov.com' } });
    await terminal.see('Zoom App Marketplace, https://marketplace.zoomgov.com/:\n');
  });

  describe('behind a proxy', { concurrency: 2 }, () => {
    /** A proxy that does to each CONNECT as told, until the end of the test: its address. */
    async function startProxy(onConnect: (request: http.IncomingMessage, socket: Duplex) => void): Promise<string> {
      const proxy = http.createServer().on('connect', onConnect);
      await once(proxy.listen(0, '127.0.0.1'), 'listening');
      after(() => proxy.close());
      return `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    }

    /** A stand-in for zoom.us over TLS, and a CONNECT proxy that is the only way to it. */
    async function behindProxy(host: string) {
      const zoom = await trustedStandIn(host);
      const asked: string[] = [];
      const address = await startProxy((request, socket) => {
        asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
        const tunnel = connect(zoom.port, '127.0.0.1', () =>
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n'),
        );
        tunnel.on('error', () => {}).pipe(socket.on('error', () => {})).pipe(tunnel); // prettier-ignore
      });
      const env: Env = { ...ACCOUNT, ZOOM_HOST: host, NODE_EXTRA_CA_CERTS: zoom.NODE_EXTRA_CA_CERTS };
      return { zoom, asked, address, env };
    }
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    const canProxy = major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);

    describe('on a Node that can use one', { concurrency: 2, skip: !canProxy && `not Node ${process.version}` }, () => {
      it('goes through it', async () => {
        const { zoom, asked, address, env } = await behindProxy('zoom.us');
        for (const proxy of [
          { HTTPS_PROXY: `http://${address}` },
          { https_proxy: address, HTTPS_PROXY: 'http://127.0.0.1:1' },
          { HTTPS_PROXY: `http://user:PaSsWoRd@${address}`, NO_PROXY: 'example.com' },
        ]) {
          const { code, stdout, stderr } = await run({ args: ['--token'], env: { ...env, ...proxy } });
          assert.deepEqual([code, stdout, stderr], [0, `${TOKEN}\n`, '']);
        }
        assert.deepEqual(asked, ['zoom.us:443', 'zoom.us:443', `zoom.us:443 Basic ${btoa('user:PaSsWoRd')}`]);
        assert.equal(zoom.requests.length, 3);
      });

      it('goes past it where NO_PROXY says so, and to a stand-in over http', async () => {
        const { asked, address, env } = await behindProxy('zoom.us');
        const HTTPS_PROXY = `http://${address}`;
        for (const exceptions of [
          { NO_PROXY: 'ZOOM.us:443' },
          { no_proxy: 'a.example .us,b.example' },
          { NO_PROXY: '*' },
        ]) {
          const { code, stderr } = await run({ env: { ...env, HTTPS_PROXY, ...exceptions } });
          const words =
            'The name of zoom.us is not found (ENOTFOUND).\nCheck the network, and a firewall or VPN in between.\n';
          assert.deepEqual([code, stderr], [1, words]);
        }
        const plain = await run({
          args: ['--token'],
          env: configured(standIn, { HTTPS_PROXY, HTTP_PROXY: HTTPS_PROXY }),
        });
        assert.equal(plain.stdout, `${TOKEN}\n`);
        assert.deepEqual(asked, []);
        await run({ env: { ...env, HTTPS_PROXY, NO_PROXY: 'oom.us,zoom.us.example, us.,' } });
        assert.deepEqual(asked, ['zoom.us:443'], 'another host is no exception');
      });

      it("names Zoom for Government's hosts in a refusal", async () => {
        const { address, env } = await behindProxy('zoomgov.com');
        const { stderr } = await run({
          env: { ...env, HTTPS_PROXY: `http://${address}`, ZOOM_CLIENT_SECRET: 'wrong' },
        });
        assert.match(stderr, /https:\/\/marketplace\.zoomgov\.com\//);
        assert.doesNotMatch(stderr, /zoom\.us/);
      });

      it('is named where it refuses or is not there, without its password', async () => {
        const refusing = await startProxy((_, socket) => socket.end('HTTP/1.1 407 Who are you\r\n\r\n'));
        const hint = 'Check HTTPS_PROXY, or name zoom.us in NO_PROXY.';
        for (const [address, what] of [
          [refusing, `The connection to HTTPS_PROXY (${refusing}) failed (ERR_PROXY_TUNNEL, status 407).`],
          ['127.0.0.1:1', 'HTTPS_PROXY (127.0.0.1:1) refused the connection.'],
          ['proxy.example:8080', 'The name of HTTPS_PROXY (proxy.example:8080) is not found (ENOTFOUND).'],
        ] as const) {
          const { code, stdout, stderr } = await run({
            env: { ...ACCOUNT, HTTPS_PROXY: `http://u:PaSsWoRd@${address}` },
          });
          assert.deepEqual([code, stdout, stderr], [1, '', `${what}\n${hint}\n`]);
        }
      });
    });

    it(
      'says since when Node can use it, on a Node that cannot',
      { skip: canProxy && `Node ${process.version} can` },
      async () => {
        const { code, stderr } = await run({ env: { ...ACCOUNT, https_proxy: 'http://127.0.0.1:1' } });
        const hint = `https_proxy takes effect only from Node 22.21 and 24.5 on: this is ${process.version}.`;
        assert.deepEqual([code, stderr], [1, `The name of zoom.us is not found (ENOTFOUND).\n${hint}\n`]);
      },
    );

    it('refuses what is no proxy: exit 2, Zoom not asked', async () => {
      const words = 'HTTPS_PROXY is not the URL of an HTTP proxy:\nset it to http://host:port, or unset it.\n';
      for (const HTTPS_PROXY of ['socks5://127.0.0.1:1080', 'http://', '::']) {
        const { code, stdout, stderr } = await run({ env: { ...ACCOUNT, HTTPS_PROXY } });
        assert.deepEqual([code, stdout, stderr], [2, '', words]);
      }
    });
  });
});
