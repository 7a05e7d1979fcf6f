/** The README's table of what the script says: each row is said, with that exit code, and nothing is said that has no row. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  type Env,
  type Result,
  Terminal,
  configured,
  folder,
  inTerminal,
  lacking,
  ownStandIn,
  run,
  shell,
  tcp,
  typeAccountId,
} from './helpers.ts';
import { ACCOUNT, type Handler, certificate, json, zoom } from './stand-in.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const rows = [...readme.matchAll(/^\| `([^`|]+)` +\| (\d+) +\|/gm)].map(([, says = '', code]) => ({
  says,
  code: Number(code),
}));
const answering = (handler: Handler) => async () => run({ env: configured(await ownStandIn(handler)) });
const refusing = (reason: string) => answering((response) => json(response, 400, { reason }));
const withEnv = (env: Env) => () => run({ env: { ...ACCOUNT, ...env } });

/** A day on which each row is said, by the beginning of the row. */
const days: Record<string, () => Promise<Pick<Result, 'code' | 'stderr'>>> = {
  'No clipboard here (…):': answering(zoom),
  'No clipboard here (…).': async () => {
    const terminal = new Terminal({ env: configured(await ownStandIn()) });
    return { code: await terminal.end(), stderr: terminal.screen.slice(terminal.screen.indexOf('No clipboard')) };
  },
  'Cannot save': async () => {
    const cwd = folder();
    mkdirSync(join(cwd, '.env'));
    const terminal = await typeAccountId(await ownStandIn(), { cwd });
    return { code: await terminal.end(), stderr: terminal.screen.slice(terminal.screen.indexOf('Cannot save')) };
  },
  'Zoom refused: "Invalid': refusing('Invalid client_id or client_secret'),
  'Zoom refused: "Bad': refusing('Bad Request'),
  'Zoom refused: "unsupported': refusing('unsupported grant type'),
  'Zoom refused: "The app': refusing('The app has been disabled'),
  'zoom.us …, three times': async () => {
    const { code, stderr } = await answering((response) => response.writeHead(503).end())();
    return { code, stderr: stderr.split('\n').slice(2).join('\n') };
  },
  'zoom.us answered with … and asks': answering((response) => json(response, 429, {}, { 'Retry-After': '60' })),
  'The name of zoom.us': withEnv({}),
  'zoom.us refused the connection': withEnv({ ZOOM_HOST: 'http://127.0.0.1:1' }),
  'The connection to zoom.us': async () => {
    const { url } = await tcp((socket) => socket.end('220 mail.example ESMTP\r\n'));
    return run({ env: configured({ url }) });
  },
  'The certificate of zoom.us': async () =>
    run({ env: configured(await ownStandIn(zoom, await certificate('localhost'))) }),
  'zoom.us answered with a redirect': answering((response) => response.writeHead(302, { Location: '/login' }).end()),
  'zoom.us answered with … (status': answering((response) => response.end('<html>')),
  'zoom.us sent more': answering((response) => response.end('x'.repeat(2 ** 20 + 1))),
  'zoom.us answered without': answering((response) => json(response, 200, {})),
  'Cannot write': async () => run({ command: shell('> /dev/full'), env: configured(await ownStandIn()) }),
  'Set ZOOM_': () => run({}),
  'ZOOM_HOST is "': withEnv({ ZOOM_HOST: 'example.com' }),
  'HTTPS_PROXY is not': withEnv({ HTTPS_PROXY: 'socks5://127.0.0.1:1' }),
  'Unknown option': () => run({ args: ['--tokens'] }),
  Cancelled: async () => {
    const terminal = new Terminal({});
    await terminal.answer('ZOOM_ACCOUNT_ID', '\x03');
    return { code: await terminal.end(), stderr: terminal.screen.slice(terminal.screen.indexOf('Cancelled')) };
  },
};

/** Why a day cannot be had on every machine. */
const skip: Record<string, string | false> = {
  'No clipboard here (…).': inTerminal.skip,
  'Cannot save': inTerminal.skip,
  'Cannot write': lacking('bash -c "test -c /dev/full"'),
  Cancelled: inTerminal.skip,
};

describe('the README', { concurrency: 4 }, () => {
  it('has a row for each of these days, and a day for each row', () => {
    const begins = Object.keys(days);
    assert.deepEqual(
      rows.map(({ says }) => begins.filter((begin) => says.startsWith(begin)).length),
      begins.map(() => 1),
    );
  });

  for (const { says, code } of rows) {
    const [begin = '', day = assert.fail] = Object.entries(days).find(([begin]) => says.startsWith(begin)) ?? [];
    it(`is right: ${says}`, { skip: skip[begin] ?? false }, async () => {
      const result = await day();
      const [line = ''] = result.stderr.replace(/127\.0\.0\.1:\d+/, 'zoom.us').split('\n');
      let at = 0;
      for (const words of says.split('…')) {
        const found = line.indexOf(words, at);
        assert.ok(at ? found >= at : found === 0, `${words} in ${line}`);
        at = found + words.length;
      }
      assert.equal(result.code, code);
    });
  }
});
