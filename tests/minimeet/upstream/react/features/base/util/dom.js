/** Makes an element. Names that an element has as a property are set as one, all others as attributes. */
export function h(tag, values = {}, ...children) {
    const element = document.createElement(tag);

    for (const [ name, value ] of Object.entries(values)) {
        if (name in element) {
            element[name] = value;
        } else {
            element.setAttribute(name, value);
        }
    }
    element.append(...children);

    return element;
}

/** Shows a view in place of the one before. */
export function show(...children) {
    document.getElementById('app').replaceChildren(...children);
}
