/*
 * node once.cjs <folder> <key> <what to run with node>... runs a compiler of style sheets, or writes what it wrote the last time.
 * The key names all that it reads but for the files among its arguments. What it writes: its standard output, files among
 * the arguments, and source maps beside them. With an empty folder it is only run.
 */
const { spawnSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const [ folder, key, ...words ] = process.argv.slice(2);
const names = words.flatMap(word => [ word, `${word}.map` ]);

/** The files among the arguments: name -> content. */
function files() {
    const there = names.filter(name => fs.statSync(name, { throwIfNoEntry: false })?.isFile());

    return Object.fromEntries(there.map(name => [ name, fs.readFileSync(name, 'base64') ]));
}

const before = files();
const file = folder && path.join(folder, crypto.createHash('sha256').update(JSON.stringify([ key, words, before ])).digest('hex'));

if (file && fs.existsSync(file)) {
    const { output, written } = JSON.parse(fs.readFileSync(file));

    Object.entries(written).forEach(([ name, content ]) => fs.writeFileSync(name, content, 'base64'));
    fs.writeSync(1, Buffer.from(output, 'base64'));
    fs.utimesSync(file, new Date(), new Date());
} else {
    const done = spawnSync(process.execPath, words, { maxBuffer: Infinity, stdio: [ 'inherit', 'pipe', 'inherit' ] });

    done.stdout && fs.writeSync(1, done.stdout);
    if (file && done.status === 0) {
        const written = Object.fromEntries(Object.entries(files()).filter(([ name, content ]) => content !== before[name]));

        fs.mkdirSync(folder, { recursive: true });
        fs.writeFileSync(`${file}.new`, JSON.stringify({ output: done.stdout.toString('base64'), written }));
        fs.renameSync(`${file}.new`, file);
    }
    process.exitCode = done.status ?? 1;
}
