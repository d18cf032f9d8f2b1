/*
 * Reads what a server has written and the browser cannot parse. A server may hand on more than a browser reads: elements
 * nested thousands deep, or the namespace that XML reserves for its own prefix. The platform's parser reads all or
 * nothing, and one participant's stanza would take all others of the same answer with it. So the text is cut into
 * elements here, and the platform parses each by itself.
 */

/** The attributes that the server writes into the first tag of a stanza. */
const OF_STANZAS = [ 'from', 'id', 'to', 'type', 'xmlns' ];

/** How many children of such a stanza are tried. Clients send some fifteen, and the server appends its own. */
const MOST_CHILDREN = 100;

/** Where comments, raw text and instructions for programs begin and end. */
const SECTIONS = [ [ '<!--', '-->' ], [ '<![CDATA[', ']]>' ], [ '<?', '?>' ] ];

// No value of an attribute has a "<" (XML 1.0, 2.3). So each character is read for one tag only.
const TAG = /<[^<>"']*(?:(?:"[^"<]*"|'[^'<]*')[^<>"']*)*>/y;

// White space as XML has it: other kinds are part of a name.
const ATTRIBUTE = /[ \t\r\n]([^ \t\r\n"'<=>]+)[ \t\r\n]*=[ \t\r\n]*(?:"[^"]*"|'[^']*')/g;

/** An element as text: its first tag and its children. */
interface IParts {
    children: string[];
    first: string;
}

const nameOf = (tag: string) => /^<([^\s/>]*)/.exec(tag)?.[1] ?? '';
const inside = (tag: string, text: string) => `${tag}${text}</${nameOf(tag)}>`;

/**
 * Returns whether the browser has failed to parse a document.
 *
 * @param {Element|null|undefined} root - The root of what the browser has made of it.
 * @returns {boolean} - Whether that is a message about an error, or begins with one.
 */
export function isUnreadable(root?: Element | null): boolean {
    return !root || [ root, ...Array.from(root.children) ].some(({ localName }) => localName === 'parsererror');
}

/**
 * Parses a text.
 *
 * @param {string} text - The text.
 * @returns {Element|undefined} - Its root, or nothing if the browser cannot parse it.
 */
function parse(text: string): Element | undefined {
    const { documentElement } = new DOMParser().parseFromString(text, 'text/xml');

    return isUnreadable(documentElement) ? undefined : documentElement;
}

/**
 * Yields the tags of a text, and reads no part of it twice: its length is a participant's choice.
 *
 * @param {string} text - The text.
 * @returns {Generator} - Each tag, and where it begins.
 */
function* tagsOf(text: string): Generator<[ string, number ]> {
    const unclosed = new Set<string>();
    let end = 0;

    for (let start = text.indexOf('<'); start >= 0; start = text.indexOf('<', end)) {
        const [ opening, closing ] = SECTIONS.find(([ first ]) => text.startsWith(first, start)) ?? [];
        const close = closing && !unclosed.has(closing) ? text.indexOf(closing, start + opening.length) : -1;

        if (closing && close >= 0) {
            end = close + closing.length;
            continue;
        }
        closing && unclosed.add(closing);
        TAG.lastIndex = start;
        const tag = TAG.exec(text)?.[0] ?? '';

        end = start + (tag.length || 1);
        if (tag && !/^<[!?]/.test(tag)) {
            yield [ tag, start ];
        }
    }
}

/**
 * Cuts an element into its parts.
 *
 * @param {string} text - The element.
 * @returns {IParts} - The parts; none if the text ends before the element does.
 */
function cut(text: string): IParts {
    const children: string[] = [];
    let depth = 0;
    let first = '';
    let start = 0;

    for (const [ tag, index ] of tagsOf(text)) {
        const isEnd = tag.startsWith('</');

        first = first || tag.replace(/\/>$/, '>');
        if (!isEnd && depth++ === 1) {
            start = index;
        }
        if ((isEnd || tag.endsWith('/>')) && --depth === 1) {
            children.push(text.slice(start, index + tag.length));
        }
    }

    return depth === 0 ? { children,
        first } : { children: [],
        first: '' };
}

/**
 * Takes of a stanza what can be parsed: of its first tag at least what the server has written there.
 *
 * @param {string} outer - The first tag of the element around it.
 * @param {string} text - The stanza.
 * @returns {Element|undefined} - The stanza, or nothing if not even its first tag can be parsed.
 */
function stanzaOf(outer: string, text: string): Element | undefined {
    const { children, first } = cut(text);
    const own = Array.from(first.matchAll(ATTRIBUTE)).filter(([ , name ]) => OF_STANZAS.includes(name));

    for (const tag of [ first, `<${nameOf(first)}${own.map(([ attribute ]) => attribute).join('')}>` ]) {
        const stanza = parse(inside(outer, inside(tag, '')))?.firstElementChild;

        if (stanza) {
            for (const child of children.slice(-MOST_CHILDREN)) {
                const element = parse(inside(outer, inside(tag, child)))?.firstElementChild?.firstElementChild;

                element && stanza.appendChild(element);
            }

            return stanza;
        }
    }
}

/**
 * Reads an answer of the server that the browser cannot parse.
 *
 * @param {string} text - The answer: one element with stanzas as its children.
 * @returns {Element|undefined} - The same with what can be parsed of each stanza, or nothing if it is not such an answer.
 */
export function salvage(text: string): Element | undefined {
    const { children, first } = cut(text);
    const root = [ 'body', 'wrapper' ].includes(nameOf(first)) ? parse(inside(first, '')) : undefined;

    for (const child of root ? children : []) {
        const stanza = parse(inside(first, child))?.firstElementChild ?? stanzaOf(first, child);

        stanza && root?.appendChild(stanza);
    }

    return root;
}
