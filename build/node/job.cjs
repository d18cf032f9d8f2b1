/*
 * The contract that all recipes share: `node <recipe> <job.json>` reads the job, writes its result as JSON to the path
 * job.result, and on a mistake prints `hardener: <message>` and exits with 1.
 */
const fs = require('node:fs');
const path = require('node:path');

/** A mistake that the reader can mend: its message says what and where. `lines` are further findings of the same kind. */
class Mistake extends Error {
    constructor(message, lines = []) {
        super(message);
        this.lines = lines;
    }
}

/** For use in expressions: `value ?? fail('no value')`. */
function fail(message, lines) {
    throw new Mistake(message, lines);
}

/** Writes beside the target and renames, so that a killed run leaves the old file or the new one, never a half. */
function writeJson(file, value) {
    const beside = `${file}.${process.pid}.part`;

    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(beside, `${JSON.stringify(value, null, 2)}\n`);
    fs.renameSync(beside, file);
}

function readJson(file) {
    let text;

    try {
        text = fs.readFileSync(file, 'utf8');
    } catch (error) {
        fail(`cannot read ${file} (${error.code})`);
    }
    try {
        return JSON.parse(text);
    } catch (error) {
        return fail(`${file} is not valid JSON: ${error.message}`);
    }
}

/** TypeScript's configuration files may hold comments and trailing commas, which JSON.parse refuses. Strings are left alone. */
function readJsonWithComments(file) {
    const text = fs.readFileSync(file, 'utf8')
        .replace(/("(?:\\.|[^"\\])*")|\/\/.*|\/\*[^]*?\*\//g, (_, string) => string ?? '')
        .replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_, string) => string ?? '');

    try {
        return JSON.parse(text);
    } catch (error) {
        return fail(`${file} is not valid JSON with comments: ${error.message}`);
    }
}

/** A job's output folder has to be empty, for a file left over from an earlier run would be shipped with the new ones. */
function emptyFolder(folder) {
    fs.mkdirSync(folder, { recursive: true });
    fs.readdirSync(folder).length && fail(`the output folder ${folder} is not empty: remove what is in it first`);
}

/** esbuild says in `errors` what is wrong in which file; its message has that below the first line only. */
function placesOf({ errors = [] }) {
    return errors.map(({ location, text }) => location ? `${location.file}:${location.line}: ${text}` : text);
}

/**
 * Runs a recipe: checks the job's keys against `required` and `optional`, calls `main(job)` and writes what it returns.
 * job.root becomes a real path and the current directory, since upstream's configurations look at both.
 */
async function runJob(required, optional, main) {
    try {
        const file = process.argv[2] ?? fail(`usage: node ${path.basename(process.argv[1])} <job.json>`);
        const job = readJson(file);
        const missing = [ 'root', 'result', ...required ].filter(key => job[key] === undefined);
        const unknown = Object.keys(job).filter(key => ![ 'root', 'result', ...required, ...optional ].includes(key));

        missing.length && fail(`${file}: missing ${missing.join(', ')}`);
        unknown.length && fail(`${file}: unknown ${unknown.join(', ')}`);
        fs.existsSync(job.root) || fail(`${file}: root ${job.root} does not exist`);
        for (const key of [ 'out', 'result', 'tools', 'cache' ]) {
            job[key] = job[key] && path.resolve(job[key]);
        }
        job.root = fs.realpathSync(job.root);
        process.chdir(job.root);
        writeJson(job.result, await main(job));
    } catch (error) {
        const text = error instanceof Mistake || error.code ? error.message : `${error.name}: ${error.message}`;

        for (const line of [ text, ...error.lines ?? [], ...placesOf(error) ]) {
            console.error(`hardener: ${line.split('\n')[0]}`);
        }
        process.env.HARDENER_DEBUG === '1' && console.error(error.stack);
        process.exitCode = 1;
    }
}

module.exports = { emptyFolder, fail, readJson, readJsonWithComments, runJob };
