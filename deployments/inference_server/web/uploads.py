"""The pictures in the body of a request: multipart files, JSON with base64, or one raw file."""

import base64
import binascii
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.exceptions import FormParserError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from deployments.inference_server.settings import ServingConfig
from deployments.inference_server.web.problems import RequestError, unusable
from fer_models.inference.picture import Picture
from fer_models.ingest.files.image_pixels import picture_size

MULTIPART = "multipart/form-data"
JSON = "application/json"
RAW = ("application/octet-stream", "image/*")
_LONGEST_NAME = 255
_DATA_URL = ";base64,"
_ALL = f"{MULTIPART}, {JSON}, {' or '.join(RAW)}"


class EncodedPicture(BaseModel):
    """A picture in JSON."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field("", max_length=_LONGEST_NAME, description="Its `path` in the answer.")
    data: str = Field(
        min_length=1, description="The content of an image file in base64, or as a data URL."
    )


class EncodedPictures(BaseModel):
    """The pictures of a request in JSON."""

    model_config = ConfigDict(extra="forbid")
    pictures: list[EncodedPicture] = Field(min_length=1)


async def read_pictures(request: Request, config: ServingConfig) -> list[Picture]:
    """The pictures of a request, in its order.

    Raises:
        RequestError: it has none or too many, or they are too large; lists all problems.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == MULTIPART:
        named = await _from_form(request, config)
    elif content_type == JSON:
        body = await _body(request)
        named = await run_in_threadpool(_from_json, body)
    elif content_type in RAW or content_type.startswith("image/"):
        named = [("", await _body(request))]
    else:
        raise RequestError(
            415,
            "unsupported_media_type",
            f"expected the content type {_ALL}, got {content_type[:100]!r}",
            "set the header Content-Type",
        )
    await run_in_threadpool(_check, named, config)
    return [
        Picture(name[:_LONGEST_NAME] or f"picture {number}", data=data)
        for number, (name, data) in enumerate(named, start=1)
    ]


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise _cut_off() from error


async def _from_form(request: Request, config: ServingConfig) -> list[tuple[str, bytes]]:
    try:
        # One more than allowed, so that the message is ours.
        form = await request.form(max_files=config.max_pictures + 1, max_fields=16)
    except ClientDisconnect as error:
        raise _cut_off() from error
    except (HTTPException, FormParserError, UnicodeDecodeError, ValueError) as error:
        detail = str(getattr(error, "detail", error))
        if "Too many files" in detail:
            raise _too_many(f"more than {config.max_pictures + 1}", config) from error
        raise RequestError(
            400,
            "malformed_request",
            f"expected a {MULTIPART} body with files ({detail[:200]})",
            "let the HTTP client build the body, as `curl -F pictures=@face.jpg` does",
        ) from error
    try:
        return await _files(form)
    finally:
        await form.close()


async def _files(form: FormData) -> list[tuple[str, bytes]]:
    parts = form.multi_items()
    texts = sorted({name for name, part in parts if not isinstance(part, UploadFile)})
    if texts:
        raise unusable(
            f"expected files only, got the text fields {', '.join(map(repr, texts[:10]))}",
            "send each picture as a file with a file name",
        )
    files = [part for _, part in parts if isinstance(part, UploadFile)]
    return [(file.filename or "", await file.read()) for file in files]


def _from_json(body: bytes) -> list[tuple[str, bytes]]:
    try:
        given = EncodedPictures.model_validate_json(body)
    except ValidationError as error:
        raise unusable(
            'expected JSON such as {"pictures": [{"name": "a.png", "data": "iVBOR..."}]}',
            "correct the body",
            [_line(one["loc"], one["msg"]) for one in error.errors(include_url=False)][:20],
        ) from error
    decoded: list[tuple[str, bytes]] = []
    problems: list[str] = []
    for number, picture in enumerate(given.pictures):
        try:
            text = picture.data.partition(_DATA_URL)[2] if _is_url(picture) else picture.data
            decoded.append((picture.name, base64.b64decode(text, validate=True)))
        except (binascii.Error, ValueError) as error:
            problems.append(_line(("pictures", number, "data"), f"not base64 ({error})"))
    if problems:
        raise unusable("expected pictures in base64", "encode the bytes of the files", problems)
    return decoded


def _is_url(picture: EncodedPicture) -> bool:
    return picture.data.startswith("data:") and _DATA_URL in picture.data[:_LONGEST_NAME]


def _line(place: Sequence[int | str], text: str) -> str:
    return f"{'.'.join(map(str, place))}: {text}" if place else text


def _check(named: list[tuple[str, bytes]], config: ServingConfig) -> None:
    if not named:
        raise unusable("expected at least one picture, got none", "attach an image file")
    if len(named) > config.max_pictures:
        raise _too_many(str(len(named)), config)
    problems = [
        f"picture {number}{f' ({name[:100]})' if name else ''}: {width} x {height} pixels"
        for number, (name, data) in enumerate(named, start=1)
        for width, height in [picture_size(data) or (0, 0)]
        if width * height > config.max_pixels
    ]
    if problems:
        raise RequestError(
            413,
            "too_many_pixels",
            f"expected pictures of at most {config.max_pixels:,} pixels",
            "send smaller pictures; --max-megapixels of the server raises the limit",
            problems,
        )


def _too_many(found: str, config: ServingConfig) -> RequestError:
    return RequestError(
        413,
        "too_many_pictures",
        f"expected at most {config.max_pictures} pictures a request, got {found}",
        "send several requests; --max-pictures of the server raises the limit",
    )


def _cut_off() -> RequestError:
    return RequestError(400, "cut_off", "the body ended early", "send the request again")
