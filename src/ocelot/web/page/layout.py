"""The page's layout and wiring, mounted on the server's app."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read while Gradio is imported

import gradio as gr
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from ocelot.service import MAX_TEXT, Service
from ocelot.web.page.actions import Actions, Handler
from ocelot.web.page.cards import card
from ocelot.web.page.controls import Controls
from ocelot.web.page.middleware import NeededPaths, PagePolicy, StoppableStreams
from ocelot.web.page.query_images import QueryPictures, use_private_folder
from ocelot.web.page.state import KEEP, Session, Sessions, View
from ocelot.web.page.theme import resource, theme
from ocelot.web.security.shutdown import Shutdown

__all__ = ["create_page"]

_HOUR = 3600
_SESSIONS = 500  # open pages that are remembered
_EVENTS = 512  # of all pages, at once


def create_page(service: Service, shutdown: Shutdown, *, locked: bool = False) -> FastAPI:
    """The page as an app with the middleware that only it needs; the HTTP API is at its side.

    Args:
        locked: Whether users log in, and so may want to log out.
    """
    middleware = [
        Middleware(PagePolicy),
        Middleware(StoppableStreams, shutdown=shutdown),
        # Without this class, Gradio lets pages of every origin read its answers.
        Middleware(CORSMiddleware),
    ]
    app = FastAPI(openapi_url=None, middleware=middleware)
    actions = Actions(service, QueryPictures(service, use_private_folder()))
    blocks = _page(service, actions, locked)
    blocks.state_session_capacity = _SESSIONS
    # An event that waits for a language model holds a place; the service has its own limits.
    blocks.max_threads = _EVENTS
    blocks.queue(default_concurrency_limit=None, max_size=_EVENTS, api_open=False)
    gr.mount_gradio_app(
        app,
        blocks,
        "/",
        theme=theme(),
        head=resource("head.html"),
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=True,
        max_file_size=_largest(service),
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
    )
    mounted = app.router.routes[-1]
    assert isinstance(mounted, Mount)
    mounted.app = NeededPaths(mounted.app)
    return app


def _page(service: Service, actions: Actions, locked: bool) -> gr.Blocks:
    sessions, script = Sessions(_SESSIONS), resource("page.js")

    async def add(path: str) -> dict[str, Any]:
        return await actions.add(path)

    live: dict[str, Any] = {"js_on_load": script, "apply_default_css": False}
    page = gr.Blocks(title="Ocelot", analytics_enabled=False, delete_cache=(_HOUR, 6 * _HOUR))
    with page:
        header = gr.HTML(elem_id="oc-header", **live)
        with gr.Row(elem_id="oc-page", equal_height=False):
            with gr.Column(elem_id="oc-ask", min_width=280):
                picture = gr.Image(
                    type="filepath",
                    sources=["upload", "clipboard", "webcam"],
                    show_label=False,
                    label="Picture",
                    buttons=[],
                    height=230,
                    placeholder="Drop or paste a picture,\nor choose one",
                    alt_text="The picture that you search with",
                    elem_id="oc-picture",
                )
                text = gr.Textbox(
                    label="Say what you want",
                    placeholder="phone case with this image theme",
                    lines=1,
                    max_lines=4,
                    max_length=MAX_TEXT,
                    elem_id="oc-text",
                )
                search = gr.Button("Search", variant="primary", size="lg", elem_id="oc-search")
                suggestions = gr.HTML(elem_id="oc-suggestions", **live)
                controls = Controls(service)
                with gr.Accordion("Add pictures", open=False, elem_id="oc-adding"):
                    adding = gr.HTML(
                        card("adding", _largest(service)),
                        elem_id="oc-add",
                        server_functions=[add],
                        **live,
                    )
            with gr.Column(elem_id="oc-found", min_width=280):
                steps = gr.HTML(elem_id="oc-steps", **live)
                with gr.Row(elem_id="oc-refine"):
                    more = gr.Textbox(
                        label="Refine",
                        placeholder="Change something: in blue",
                        lines=1,
                        max_lines=2,
                        max_length=MAX_TEXT,
                        scale=4,
                        elem_id="oc-more",
                    )
                    again = gr.Button("Refine", scale=0, min_width=110, elem_id="oc-again")
                status = gr.HTML(elem_id="oc-status", **live)
                notice = gr.HTML(elem_id="oc-notice", **live)
                results = gr.HTML(elem_id="oc-results", **live)
        gr.HTML(card("footer", locked), elem_id="oc-footer", **live)

        parts = {
            "header": header, "suggestions": suggestions, "picture": picture, "text": text,
            "status": status, "notice": notice, "steps": steps, "more": more, "results": results,
        }  # fmt: skip

        def shown(view: View, session: Session) -> list[Any]:
            """A view as values for the outputs of every event."""
            # Wrapped: Gradio's browser side edits the last value of a run in place.
            values = (getattr(view, name) for name in parts)
            changes = [gr.skip() if value is KEEP else gr.update(value=value) for value in values]
            fields = [gr.skip()] * len(controls.outputs)
            if view.offer is not KEEP:
                session.offer = view.offer
                fields = controls.update(view.offer, reset=view.reset)
            return [*changes, *fields]

        def does(handler: Handler) -> Callable[..., AsyncIterator[list[Any]]]:
            async def run(request: gr.Request, *given: Any) -> AsyncIterator[list[Any]]:
                session = sessions[str(request.session_hash)]
                async for view in handler(session, *given):
                    yield shown(view, session)

            return run

        async def act(
            request: gr.Request, event: gr.EventData, *entered: Any
        ) -> AsyncIterator[list[Any]]:
            async for changes in does(actions.act)(request, event._data or {}, *entered):
                yield changes

        always: dict[str, Any] = {
            "outputs": [*parts.values(), *controls.outputs],
            "show_progress": "hidden", "trigger_mode": "multiple", "api_visibility": "private",
            # Gradio would decode the picture, and fail at a broken one with a message of its own.
            "preprocess": False,
        }  # fmt: skip
        form = [picture, text, *controls.inputs]
        page.load(does(actions.open), [], **always)
        picture.input(does(actions.pick), [picture], **always)
        for event in (search.click, text.submit, *controls.searches):
            event(does(actions.search), form, **always)
        for event in (again.click, more.submit):
            event(does(actions.refine), [more, *form], **always)
        for part in (suggestions, steps, results, adding):
            part.act(act, form, **always)
    return page


def _largest(service: Service) -> int:
    """Bytes of the largest file that fits into a request, with the form around it."""
    return max(1, service.limits.upload_bytes - 2048)
