/** The picture in the README shows a first run. `npm run picture` redraws it. */

import assert from 'node:assert/strict';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import xterm from '@xterm/headless';
import { fakeClipboard } from './clipboard.ts';
import { folder, root } from './script.ts';
import { ownMockZoom } from './servers.ts';
import { skipWithoutFakeClipboard } from './skip.ts';
import { inTerminal, session } from './terminal.ts';

const file = new URL('../.github/first-run.svg', import.meta.url);
const [WIDTH, HEIGHT] = [8.4, 18];
/** The terminal's red, green, cyan, and gray. */
const COLORS: Record<number, string> = { 1: '#ff7b72', 2: '#3fb950', 6: '#39c5cf', 8: '#8b949e' };
const FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

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
    const visible = runs.map((run) => ({ ...run, text: run.text.trimEnd() })).filter(({ text }) => text);
    return visible.map(({ x, style, text }) => {
      const [left, length] = [x + 2, text.length].map((columns) => (columns * WIDTH).toFixed(1));
      const escaped = text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);
      return `<text x="${left}" y="${(y + 2) * HEIGHT}" textLength="${length}" ${style}>${escaped}</text>\n`;
    });
  });
  const [width, height] = [(screen.cols + 4) * WIDTH, (rows.length + 2) * HEIGHT];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="${FONT}" font-size="14" xml:space="preserve">
<rect width="${width}" height="${height}" rx="8" fill="#0d1117" stroke="#8b949e"/>
${rows.flat().join('')}</svg>
`;
}

const skip = inTerminal.skip || skipWithoutFakeClipboard;
it('matches the picture in the README on a first run', { skip }, async () => {
  const cwd = folder();
  for (const name of ['s2s.ts', 'package.json', 'node_modules']) symlinkSync(join(root, name), join(cwd, name));
  const npm = { npm_config_loglevel: 'silent', npm_config_update_notifier: 'false' };
  const env = { ...fakeClipboard('cat > /dev/null'), ...npm, ZOOM_HOST: (await ownMockZoom()).url };
  const { raw } = await session({ cwd, command: ['sh', '-c', "echo '$ npx tsx s2s.ts'; npx tsx s2s.ts"], env });
  // The line may be wrapped before the path.
  const text = raw.replace(/at \d\d:\d\d/, 'at 15:04').replace(new RegExp(`\\s+${cwd}`), ' /home/me/s2s');
  const svg = await draw(text);
  if (process.argv.includes('draw')) writeFileSync(file, svg);
  assert.equal(svg, readFileSync(file, 'utf8'), 'npm run picture redraws it');
});
