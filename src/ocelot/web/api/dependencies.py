"""What several routes need: the service, and the pictures of a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from ocelot.errors import ImageTooLarge
from ocelot.images.file import ImageFile
from ocelot.service import Service
from ocelot.web.api.problems import stopping

__all__ = ["CurrentService", "load_images"]


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    if service.closed:
        raise stopping()
    return service


CurrentService = Annotated[Service, Depends(_service)]


async def load_images(
    service: Service, images: Sequence[bytes | str], names: Sequence[str] | None = None
) -> list[ImageFile]:
    """The pictures of a request: those that were sent, checked, and the files of stored items.

    Args:
        images: The bytes of image files, and ids of items.
        names: What to call each picture in messages; by default "picture 1" and so on.

    Raises:
        ImageError: What was sent is not a picture, or too large.
        ItemNotFound: There is no such item, or its file is gone.
    """
    if names is None:
        one = len(images) == 1
        names = ["the picture"] if one else [f"picture {n}" for n, _ in enumerate(images, 1)]
    found = []
    for name, image in zip(names, images, strict=True):
        if isinstance(image, str):
            found.append(ImageFile((await service.picture(image)).data, name))
            continue
        if len(image) > (most := service.limits.upload_bytes):
            raise ImageTooLarge(name, f"it is larger than {most / 2**20:g} MiB")
        sent = ImageFile(image, name)
        await run_in_threadpool(sent.probe, service.limits.pixels)
        found.append(sent)
    return found
