/*
 * Runs upstream's rollup, with upstream's rollup.config.js, for the outputs that job.outputs names. The others are not built.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const { emptyFolder, fail, runJob } = createRequire(import.meta.url)('./job.cjs');

/** An output's file relative to the tree, as it stands in upstream's configuration. */
const fileOf = (root, output) => path.relative(root, path.resolve(root, output.file ?? ''));

runJob([ 'out', 'outputs' ], [ 'tools' ], async job => {
    const { root, outputs } = job;
    const configFile = path.join(root, 'rollup.config.js');
    const require = createRequire(configFile);

    fs.existsSync(configFile) || fail(`${configFile} does not exist: is job.root the right tree?`);
    emptyFolder(job.out);
    const { rollup, VERSION } = require('rollup');
    const loadConfigFile = require('rollup/dist/loadConfigFile.js');
    const { options, warnings } = await loadConfigFile(configFile, { silent: true });
    const known = options.flatMap(config => config.output.map(output => fileOf(root, output)));
    const unknown = outputs.filter(name => !known.includes(name));
    const assets = [];
    const modules = new Set();

    warnings.flush();
    unknown.length && fail(`job.outputs: rollup.config.js does not make ${unknown.join(', ')}; it makes ${known.join(', ')}`);
    for (const name of outputs) {
        path.resolve(root, name).startsWith(job.out + path.sep) || fail(`job.outputs: ${name} is not below ${job.out}`);
    }
    for (const config of options) {
        const wanted = config.output.filter(output => outputs.includes(fileOf(root, output)));

        if (wanted.length) {
            const bundle = await rollup(config);

            for (const output of wanted) {
                const name = fileOf(root, output);

                await bundle.write({ ...output, file: path.join(root, name) });
                assets.push({ name, size: fs.statSync(path.join(root, name)).size });
            }
            bundle.watchFiles.forEach(file => modules.add(path.relative(root, file)));
            await bundle.close();
        }
    }

    return {
        versions: { rollup: VERSION, node: process.version },
        bundles: [ { name: 'rollup', assets, modules: [ ...modules ].sort(), warnings: [] } ]
    };
});
