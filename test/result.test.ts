/** What a token becomes: the clipboard, stdout, and the words on stderr. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  S2S,
  Terminal,
  WAYLAND,
  X11,
  configured,
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
  startWayland,
  startX11,
  tcp,
} from './helpers.ts';
import { ACCOUNT, GRANTED, SCOPES, TOKEN, json, startStandIn } from './stand-in.ts';

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

/** What is said where there is no clipboard. */
const noClipboard = (why: RegExp) =>
  new RegExp(`^No clipboard here \\(${why.source}\\): copy the token from the output\\.\nExpires at .*\n$`);

/** A stand-in with a given answer. */
const answering = (answer: unknown) => ownStandIn((response) => json(response, 200, answer));

describe('the token', { concurrency: 4 }, () => {
  let standIn: Awaited<ReturnType<typeof startStandIn>>;
  before(async () => (standIn = await startStandIn()));
  after(() => standIn.close());

  it('is in the X11 clipboard and on stdout, as the original prints it', { skip: lacking(...X11) }, async () => {
    const x11 = await startX11();
    const result = await run({ command: S2S, env: configured(standIn, x11.env) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(COPIED)]);
    assert.match(result.stderr, /^Expires at \d\d:\d\d, in 60 minutes\.\n$/);
    assert.equal(await x11.paste(), TOKEN);
  });

  it('is in the Wayland clipboard', { skip: lacking(...WAYLAND) }, async () => {
    const wayland = await startWayland();
    const result = await run({ env: configured(standIn, wayland.env) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(COPIED)]);
    assert.equal(await wayland.paste(), TOKEN);
  });

  it('is printed where there is no clipboard: over SSH', async () => {
    const result = await run({ env: configured(standIn) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
    assert.match(result.stderr, noClipboard(/this is an SSH session/));
  });

  it('is printed where there is no clipboard: without a display', { skip: onlyLinux }, async () => {
    const result = await run({ env: configured(standIn, { SSH_CONNECTION: undefined }) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
    assert.match(result.stderr, noClipboard(/there is no display/));
  });

  it('is printed where there is no clipboard: in the words of its helper', { skip: noHelper }, async () => {
    const result = await run({ env: configured(standIn, helper('echo "helper: cannot. Really" >&2; exit 1')) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
    assert.match(result.stderr, noClipboard(/helper: cannot\. Really/));
  });

  it('is printed where there is no clipboard: its helper says nothing', { skip: noHelper }, async () => {
    const result = await run({ env: configured(standIn, helper('exit 1')) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
    assert.match(result.stderr, noClipboard(/[^\n]+/));
  });

  it(
    "is printed where there is no clipboard: xsel's home cannot be written",
    { skip: lacking(...X11, 'which xsel') },
    async () => {
      const x11 = await startX11();
      const result = await run({ env: configured(standIn, { ...x11.env, HOME: '/nonexistent' }) });
      assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
      assert.match(result.stderr, noClipboard(/xsel: error opening logfile \/nonexistent\/[^\n]+/));
    },
  );

  it('is printed where the helper is missing, with the package to install', { skip: onlyLinux }, async () => {
    const PATH = folder();
    const wayland = await run({
      env: configured(standIn, { PATH, WAYLAND_DISPLAY: 'wayland-9', SSH_CONNECTION: undefined }),
    });
    assert.deepEqual([wayland.code, wayland.stdout], [0, stdout(PRINTED)]);
    assert.match(wayland.stderr, noClipboard(/install wl-clipboard/));
    // On x86-64, the xsel that clipboardy brings is tried.
    const x11 = await run({ env: configured(standIn, { PATH, DISPLAY: ':54321', SSH_CONNECTION: undefined }) });
    assert.deepEqual([x11.code, x11.stdout], [0, stdout(PRINTED)]);
    assert.match(x11.stderr, noClipboard(process.arch === 'x64' ? /[^\n]*Can't open display[^\n]*/ : /install xsel/));
  });

  const withoutFallback = 'mount --bind /dev/null node_modules/clipboardy/fallbacks/linux/xsel';
  const namespace = `unshare --mount${process.getuid?.() === 0 ? '' : ' --user --map-root-user'}`;
  const probe = `cd '${root}' && ${namespace} ${withoutFallback}`;
  it('is printed where the helper is missing on ARM', { skip: onlyLinux || lacking(probe) }, async () => {
    const script = `cd "$0" && ${withoutFallback} && cd "$OLDPWD" && PATH="$EMPTY" exec "$@"`;
    const command = [...namespace.split(' '), 'sh', '-c', script, root, ...S2S];
    const env = { EMPTY: folder(), DISPLAY: ':54321', SSH_CONNECTION: undefined };
    const result = await run({ command, env: configured(standIn, env) });
    assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
    assert.match(result.stderr, noClipboard(/install xsel/));
  });

  it('is waited for 5 seconds where the helper of the clipboard hangs', { skip: noHelper }, async () => {
    const hangs = await tcp(() => {});
    const ended = once(hangs.server, 'connection').then(([socket]) => once((socket as Socket).resume(), 'close'));
    const line = `exec '${process.execPath}' -e 'require("node:net").connect(${hangs.port}, "127.0.0.1")'`;
    const { code, stdout: printed, stderr, ms } = await run({ env: configured(standIn, helper(line)) });
    assert.deepEqual([code, printed], [0, stdout(PRINTED)]);
    assert.match(stderr, noClipboard(/its helper did not answer in 5 seconds/));
    assert.ok(ms > 5000, `${ms} ms`);
    await ended;
  });

  it('is all that a helper of the clipboard gets: no credential', { skip: noHelper }, async () => {
    const cwd = folder();
    writeFileSync(
      join(cwd, '.env'),
      `ZOOM_CLIENT_SECRET=${ACCOUNT.ZOOM_CLIENT_SECRET}\nZOOM_CLIENT_ID=${ACCOUNT.ZOOM_CLIENT_ID}\n`,
    );
    for (const given of [ACCOUNT, { ZOOM_ACCOUNT_ID: ACCOUNT.ZOOM_ACCOUNT_ID }]) {
      const LOG = join(cwd, 'log');
      const spy = helper('env > "$LOG"; echo "$0 $@" >> "$LOG"; cat >> "$LOG"');
      const result = await run({ cwd, env: { ...given, ZOOM_HOST: standIn.url, ...spy, LOG } });
      assert.equal(result.stdout, stdout(COPIED));
      const log = readFileSync(LOG, 'utf8');
      assert.match(log, /\/(xsel --clipboard --input|pbcopy )\n/);
      assert.ok(log.endsWith(`\n${TOKEN}`));
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

  it('may be read only in part: a reader that goes away is no error', { skip: lacking('bash --version') }, async () => {
    const scope = Array.from({ length: 20_000 }, (_, i) => `scope:${i}`).join(' ');
    const env = configured(await answering({ ...GRANTED, scope }));
    const result = await run({ command: shell('| head -2; echo ${PIPESTATUS[0]}'), env });
    assert.equal(result.stdout, `\n${PRINTED}\n0\n`);
    assert.doesNotMatch(result.stderr, /EPIPE|Cannot/);
  });

  it('is an error where it cannot be written', { skip: lacking('bash -c "test -c /dev/full"') }, async () => {
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

  describe('can be had without a Zoom account: npm run demo', () => {
    const command = ['npm', 'run', '--silent', 'demo'];
    const env = { npm_config_update_notifier: 'false' };
    const note =
      "The token is a stand-in's and opens nothing at Zoom. It goes to your clipboard, as a real one does.\n";

    it('from a pipe', async () => {
      const before = files(root);
      const result = await run({ command, cwd: root, env, shell: process.platform === 'win32' }); // npm.cmd
      assert.deepEqual([result.code, result.stdout], [0, stdout(PRINTED)]);
      assert.ok(result.stderr.startsWith(note), result.stderr);
      assert.deepEqual(files(root), before);
    });

    it('in a terminal', inTerminal, async () => {
      const terminal = new Terminal({ command, cwd: root, env });
      assert.equal(await terminal.end(), 0);
      assert.ok(terminal.screen.startsWith(note), terminal.screen);
      assert.match(terminal.screen, /\nExpires at .*, in 60 minutes\.\n$/);
    });
  });
});
