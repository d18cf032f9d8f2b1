import DOMPurify from 'dompurify';

/** Shapes and colors, with which icons are drawn; nothing that loads, links, styles or runs. */
const TAGS = [ 'circle', 'clippath', 'defs', 'ellipse', 'g', 'line', 'lineargradient', 'mask', 'path', 'polygon', 'polyline',
    'radialgradient', 'rect', 'stop', 'svg', 'title' ];

const ATTRIBUTES = [ 'clip-path', 'clip-rule', 'clippathunits', 'cx', 'cy', 'd', 'fill', 'fill-opacity', 'fill-rule', 'fx', 'fy',
    'gradienttransform', 'gradientunits', 'height', 'id', 'mask', 'maskunits', 'offset', 'opacity', 'points', 'r', 'rx', 'ry',
    'stop-color', 'stop-opacity', 'stroke', 'stroke-dasharray', 'stroke-linecap', 'stroke-linejoin', 'stroke-miterlimit',
    'stroke-opacity', 'stroke-width', 'transform', 'viewbox', 'width', 'x', 'x1', 'x2', 'xmlns', 'y', 'y1', 'y2' ];

/** An attribute that is written as a style may name an address; only one within the icon is left. */
const PLAIN = /^(?:url\(#[\w-]+\)|(?!.*(?:url|image|src|\\|\/\*))[^<>]*)$/is;

let purify: ReturnType<typeof DOMPurify> | undefined;

/**
 * Returns an icon that loads nothing.
 *
 * @param {string} svg - The icon's SVG.
 * @returns {string} What is left of it.
 */
export function ownOriginSvg(svg: string): string {
    if (!purify) {
        // Hooks are global to an instance: this one is not upstream's.
        purify = DOMPurify(window);
        purify.addHook('uponSanitizeAttribute', (_node, data) => {
            data.keepAttr &&= PLAIN.test(data.attrValue);
        });
    }

    return purify.sanitize(svg, {
        ALLOWED_ATTR: ATTRIBUTES,
        ALLOWED_TAGS: TAGS,
        ALLOW_ARIA_ATTR: false,
        ALLOW_DATA_ATTR: false
    });
}
