// Builds dist: one script, one style sheet, the page, and the licences of all
// that went into the script. Needs no network: npm ci has fetched everything.
import { build } from 'esbuild';
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

await rm('dist', { recursive: true, force: true });
await mkdir('dist');
const { metafile } = await build({
  entryPoints: { explorer: 'src/explorer.jsx' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['es2022'],
  jsx: 'automatic',
  charset: 'utf8',
  legalComments: 'none', // THIRD_PARTY_LICENCES.txt has them whole
  loader: { '.woff2': 'dataurl', '.svg': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"' },
  metafile: true,
});
await copyFile('src/index.html', 'dist/index.html');

// GraphiQL's style sheet carries two web fonts, three quarters of its size and
// with licences of their own; the system's fonts do as well.
const styles = await readFile('dist/explorer.css', 'utf8');
await writeFile('dist/explorer.css', styles.replace(/@font-face\{[^}]*\}/g, ''));

// The packages whose files are in the bundle, and what each asks to be shipped with it.
const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const found = input.match(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)/);
  if (found) packages.add(found[0]);
}
let notices = 'What the explorer is built from, and under which licence.\n';
for (const folder of [...packages].sort()) {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const files = (await readdir(folder)).filter((f) => /^(licen[cs]e|copying|notice)/i.test(f)).sort();
  notices += `\n${'='.repeat(72)}\n${name} ${version} (${license})\n\n`;
  for (const file of files) notices += (await readFile(path.join(folder, file), 'utf8')).trim() + '\n';
  if (files.length === 0) notices += `The package holds no licence file; it declares ${license}.\n`;
}
await writeFile('dist/THIRD_PARTY_LICENCES.txt', notices);
