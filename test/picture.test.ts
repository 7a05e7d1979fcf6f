/** The picture in the README shows a first run. `npm run picture` redraws it. */

import assert from 'node:assert/strict';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import xterm from '@xterm/headless';
import { fakeClipboard, folder, inTerminal, noFakeClipboard, ownMockZoom, root, session } from './helpers.ts';

const file = new URL('../.github/first-run.svg', import.meta.url);
const WIDTH = 8.4;
const HEIGHT = 18;
/** The terminal's red, green, cyan, and gray. */
const COLORS: Record<number, string> = { 1: '#ff7b72', 2: '#3fb950', 6: '#39c5cf', 8: '#8b949e' };

/** Returns an SVG image of what a terminal shows. */
async function draw(bytes: string): Promise<string> {
  const screen = new xterm.Terminal({ cols: 80, rows: 24, allowProposedApi: true });
  await new Promise<void>((done) => screen.write(bytes, done));
  const { active: buffer } = screen.buffer;
  const rows = Array.from({ length: buffer.baseY + buffer.cursorY }, (_, y) => {
    const runs: { x: number; style: string; text: string }[] = [];
    for (let x = 0; x < screen.cols; x++) {
      const cell = buffer.getLine(y)!.getCell(x)!;
      const style = `fill="${COLORS[cell.getFgColor()] ?? '#e6edf3'}"${cell.isBold() ? ' font-weight="bold"' : ''}`;
      if (runs.at(-1)?.style !== style) runs.push({ x, style, text: '' });
      runs.at(-1)!.text += cell.getChars() || ' ';
    }
    return runs
      .filter(({ text }) => text.trim())
      .map(({ x, style, text }) => {
        const escaped = text.trimEnd().replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);
        const [left, length] = [x + 2, text.trimEnd().length].map((columns) => (columns * WIDTH).toFixed(1));
        const place = `x="${left}" y="${(y + 2) * HEIGHT}" textLength="${length}"`;
        return `<text ${place} ${style}>${escaped}</text>\n`;
      })
      .join('');
  });
  const [width, height] = [(screen.cols + 4) * WIDTH, (rows.length + 2) * HEIGHT];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">
<rect width="${width}" height="${height}" rx="8" fill="#0d1117" stroke="#8b949e"/>
${rows.join('')}</svg>
`;
}

it('matches the picture in the README on a first run', { skip: inTerminal.skip || noFakeClipboard }, async () => {
  const cwd = folder();
  for (const name of ['s2s.ts', 'package.json', 'node_modules']) symlinkSync(join(root, name), join(cwd, name));
  const { url } = await ownMockZoom();
  const { raw } = await session({
    cwd,
    command: ['sh', '-c', "echo '$ npx tsx s2s.ts'; npx tsx s2s.ts"],
    env: {
      ...fakeClipboard('cat > /dev/null'),
      ZOOM_HOST: url,
      npm_config_loglevel: 'silent',
      npm_config_update_notifier: 'false',
    },
  });
  const svg = await draw(raw.replace(/at \d\d:\d\d/, 'at 15:04').replace(cwd, '/home/me/s2s'));
  if (process.argv.includes('draw')) writeFileSync(file, svg);
  assert.equal(svg, readFileSync(file, 'utf8'), 'npm run picture redraws it');
});
