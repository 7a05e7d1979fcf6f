/** What a token becomes: the clipboard, stdout, and the words on stderr. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Terminal,
  configured,
  environment,
  files,
  folder,
  lacking,
  ownStandIn,
  run,
  shell,
  startWayland,
  startX11,
} from './helpers.ts';
import { ACCOUNT, GRANTED, SCOPES, TOKEN, json, startStandIn } from './stand-in.ts';

const root = new URL('..', import.meta.url);

/** What the original prints, line by line. */
const stdout = (heading: string, scopes: readonly string[] = SCOPES) =>
  [
    '',
    heading,
    '------------------------------------------------------',
    TOKEN,
    '',
    'Scopes:',
    '-------',
    ...scopes,
    '',
  ].join('\n');
const COPIED = 'Zoom Server-to-Server Oauth token copied to clipboard:';
const PRINTED = 'Zoom Server-to-Server Oauth token:';

/** A stand-in with a given answer. */
const answering = (answer: unknown) => ownStandIn((response) => json(response, 200, answer));

/** A folder with a clipboard helper of this name, which runs a line of shell. */
function helper(name: string, line: string): string {
  const bin = folder();
  writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`);
  chmodSync(join(bin, name), 0o755);
  return `${bin}:${process.env['PATH']}`;
}

describe('the token', { concurrency: 4, timeout: 120_000 }, () => {
  let standIn: Awaited<ReturnType<typeof startStandIn>>;
  before(async () => (standIn = await startStandIn()));
  after(() => standIn.close());

  it(
    'is in the X11 clipboard and on stdout, as the original prints it',
    { skip: lacking('Xvfb', 'xclip') },
    async () => {
      const x11 = await startX11();
      const result = await run({ env: configured(standIn, x11.env) });
      assert.deepEqual([result.code, result.stdout], [0, stdout(COPIED)]);
      assert.match(result.stderr, /^Expires at \d\d:\d\d, in 60 minutes\.\n$/);
      assert.equal(x11.paste(), TOKEN);
    },
  );

  it('is in the Wayland clipboard', { skip: lacking('sway', 'wl-copy', 'wl-paste') }, async () => {
    const wayland = await startWayland();
    const result = await run({ env: configured(standIn, wayland.env) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(COPIED)]);
    assert.equal(wayland.paste(), TOKEN);
  });

  it('is printed where there is no clipboard, and one sentence says why', async () => {
    for (const [env, why] of [
      [{}, /^No clipboard here \(there is no display\): copy the token from the output\.\nExpires at .*\n$/],
      [
        { DISPLAY: ':54321' },
        /^No clipboard here \([^()\n]+\(X11 or Wayland\)\): copy the token from the output\.\nExpires at .*\n$/,
      ],
      [
        { DISPLAY: ':54321', PATH: helper('xsel', 'echo broken >&2; exit 1') },
        /^No clipboard here \([^\n]+\): copy the token from the output\.\nExpires at .*\n$/,
      ],
    ] as const) {
      const result = await run({ env: configured(standIn, env) });
      assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
      assert.match(result.stderr, why);
    }
  });

  it('is waited for 5 seconds where the helper of the clipboard hangs', async () => {
    const env = configured(standIn, {
      DISPLAY: ':54321',
      PATH: helper('xsel', 'echo $$ > "$TMPDIR/pid"; exec sleep 60'),
      TMPDIR: folder(),
    });
    const result = await run({ env });
    assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
    assert.match(
      result.stderr,
      /^No clipboard here \(its helper did not answer in 5 seconds\): copy the token from the output\.\n/,
    );
    assert.ok(result.ms > 5000 && result.ms < 15_000, `${result.ms} ms`);
    const pid = readFileSync(join(env['TMPDIR']!, 'pid'), 'utf8').trim();
    await sleep(200);
    const process = `/proc/${pid}/cmdline`; // Gone, or empty while nobody has waited for it.
    assert.ok(!existsSync(process) || readFileSync(process, 'utf8') === '', 'the helper is ended');
  });

  it('is all that a helper of the clipboard gets: no credential', async () => {
    const cwd = folder();
    writeFileSync(
      join(cwd, '.env'),
      `ZOOM_CLIENT_SECRET=${ACCOUNT.ZOOM_CLIENT_SECRET}\nZOOM_CLIENT_ID=${ACCOUNT.ZOOM_CLIENT_ID}\n`,
    );
    for (const given of [ACCOUNT, { ZOOM_ACCOUNT_ID: ACCOUNT.ZOOM_ACCOUNT_ID }]) {
      const spy = 'env > "$LOG"; echo "$@" >> "$LOG"; cat >> "$LOG"';
      const env = {
        ...given,
        ZOOM_HOST: standIn.url,
        DISPLAY: ':54321',
        PATH: helper('xsel', spy),
        LOG: join(cwd, 'log'),
      };
      const result = await run({ cwd, env });
      assert.equal(result.stdout, stdout(COPIED));
      const log = readFileSync(env.LOG, 'utf8');
      assert.ok(log.endsWith(`--clipboard --input\n${TOKEN}`));
      for (const value of Object.values(ACCOUNT)) assert.ok(!log.includes(value));
      assert.ok(!log.includes('ZOOM_CLIENT_SECRET'));
    }
  });

  it('expires when the local clock says', async () => {
    const clock = (zone: string, seconds: number) =>
      new Date(Date.now() + seconds * 1000).toLocaleTimeString('en-GB', {
        timeZone: zone,
        hour: '2-digit',
        minute: '2-digit',
      });
    for (const [expires_in, minutes] of [
      [3600, '60 minutes'],
      [1800, '30 minutes'],
      [45, '1 minute'],
    ] as const) {
      const standIn = await answering({ ...GRANTED, expires_in });
      const possible = [clock('Asia/Kolkata', expires_in)];
      const { stderr } = await run({ env: configured(standIn, { TZ: 'Asia/Kolkata' }) });
      possible.push(clock('Asia/Kolkata', expires_in));
      assert.ok(
        possible.some((at) => stderr.endsWith(`\nExpires at ${at}, in ${minutes}.\n`)),
        stderr,
      );
    }
  });

  it('says nothing of a life it does not know', async () => {
    const { expires_in: _, ...rest } = GRANTED;
    for (const answer of [
      rest,
      { ...rest, expires_in: 'soon' },
      { ...rest, expires_in: -1 },
      { ...rest, expires_in: 1e300 },
    ]) {
      const { code, stderr } = await run({ env: configured(await answering(answer)) });
      assert.equal(code, 0);
      assert.match(stderr, /^No clipboard here .*\n$/);
    }
  });

  it('comes with the scopes of the app, or word of where to add them', async () => {
    const { scope: _, ...rest } = GRANTED;
    for (const answer of [rest, { ...rest, scope: '' }, { ...rest, scope: null }]) {
      const result = await run({ env: configured(await answering(answer)) });
      assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED, [])]);
      assert.match(result.stderr, /\nThe app has no scopes, [^\n]* Scopes, https:\/\/marketplace\.zoom\.us\/\.\n/);
    }
    const scopes = Array.from({ length: 150 }, (_, i) => `scope:${i}:admin`);
    const many = await run({ env: configured(await answering({ ...GRANTED, scope: scopes.join(' ') })) });
    assert.equal(many.stdout, stdout(PRINTED, scopes));
  });

  it('may be read only in part: a reader that goes away is no error', async () => {
    const scope = Array.from({ length: 20_000 }, (_, i) => `scope:${i}`).join(' ');
    const env = configured(await answering({ ...GRANTED, scope }));
    const result = await run({ command: shell('| head -2; echo ${PIPESTATUS[0]}'), env });
    assert.equal(result.stdout, `\n${PRINTED}\n0\n`);
    assert.doesNotMatch(result.stderr, /EPIPE|Cannot/);
  });

  it('is an error where it cannot be written', { skip: !existsSync('/dev/full') && 'no /dev/full' }, async () => {
    const result = await run({ command: shell('> /dev/full'), env: configured(standIn) });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^Cannot write the result: no space left on device\.\n$/);
  });

  it('is refused for wrong credentials: one sentence, nothing on stdout', async () => {
    const result = await run({ env: configured(standIn, { ZOOM_CLIENT_SECRET: 'wrong' }) });
    assert.deepEqual([result.code, result.stdout], [1, '']);
    assert.match(result.stderr, /^Zoom refused: "Invalid client_id or client_secret" \(400\)\.\n/);
  });

  it('does not come where there is no network: one sentence, nothing on stdout', async () => {
    const result = await run({ env: { ...ACCOUNT, ZOOM_HOST: 'http://127.0.0.1:1' } });
    assert.deepEqual([result.code, result.stdout], [1, '']);
    assert.match(result.stderr, /^127\.0\.0\.1:1 refused the connection\./);
  });

  it('can be had without a Zoom account: npm run demo', async () => {
    const before = files(root.pathname);
    const env = environment({ npm_config_update_notifier: 'false' });
    const piped = execFileSync('npm', ['run', '--silent', 'demo'], {
      cwd: root,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    assert.equal(piped, stdout(PRINTED));
    const terminal = new Terminal({ command: ['npm', 'run', '--silent', 'demo'], cwd: root.pathname, env });
    assert.equal(await terminal.end(), 0);
    assert.match(terminal.screen, /\nExpires at .*, in 60 minutes\.\n$/);
    assert.deepEqual(files(root.pathname), before);
  });
});
