"""A meeting with a blurred background: what it starts, and that it draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import PREJOIN

if TYPE_CHECKING:
    from .conftest import Visit

# Records from where workers start, how often they answer, the canvas on which a background is drawn, and the
# WebAssembly modules that the page asks about or runs.
RECORD = """
window.started = [];
window.answers = 0;
window.Worker = new Proxy(Worker, { construct: (target, words) => {
    const worker = new target(...words);
    const { protocol, pathname } = new URL(words[0], document.baseURI);
    started.push(protocol === 'blob:' ? protocol : pathname);
    worker.addEventListener('message', () => { window.answers++; });
    return worker;
} });

const { captureStream } = HTMLCanvasElement.prototype;
HTMLCanvasElement.prototype.captureStream = function(...words) {
    window.drawn = this;
    return captureStream.apply(this, words);
};

window.modules = [];
const note = async source => {
    const content = source instanceof WebAssembly.Module ? null
        : source instanceof Promise || source instanceof Response ? await (await source).clone().arrayBuffer()
        : ArrayBuffer.isView(source) ? source.buffer : source;
    if (content) {
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content));
        modules.push(btoa(String.fromCharCode(...digest)).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=/g, ''));
    }
};
for (const name of [ 'validate', 'compile', 'compileStreaming', 'instantiate', 'instantiateStreaming', 'Module' ]) {
    WebAssembly[name] = new Proxy(WebAssembly[name], {
        apply: (target, self, words) => { note(words[0]); return Reflect.apply(target, self, words); },
        construct: (target, words) => { note(words[0]); return new target(...words); }
    });
}
"""
# The picture of the fake camera moves: a number of what is drawn, or 0 where nothing is.
_DRAWN = """() => {
    const { width, height } = window.drawn ?? { width: 0, height: 0 };
    if (!width || !height) { return 0; }
    const { data } = window.drawn.getContext('2d').getImageData(0, 0, width, height);
    return new Uint32Array(data.buffer).reduce((sum, value) => (sum * 31 + value) % 1000003, 0);
}"""


def blur(seen: Visit) -> None:
    """Blur the background before a meeting, and wait until three different frames have been drawn."""
    seen.wait_for(PREJOIN)
    seen.page.get_by_role("button", name="Select Background").click()
    with seen.page.expect_request("**/*.tflite"):
        seen.page.get_by_role("radio", name="Blur", exact=True).click()
    frames: set[int] = set()

    def drawn() -> bool:
        frames.add(seen.page.evaluate(_DRAWN))
        return len(frames - {0}) >= 3

    seen.wait_until(drawn, "the third frame with a blurred background")
