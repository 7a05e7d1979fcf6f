/** Runs every *.test.ts here. Windows shells don't expand globs, and Node's test runner expands them only in version 21 and later. */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts'));
const paths = files.map((name) => join(import.meta.dirname, name));
const flags = [...process.execArgv, '--test', '--test-concurrency=3', '--test-timeout=600000'];
const { status } = spawnSync(process.execPath, [...flags, ...paths], { stdio: 'inherit' });
process.exitCode = status ?? 1;
