"""Every fixed text of the page."""

from __future__ import annotations

from apolar.text.languages import Language, mark, translate

TEXTS = {
    # the form
    "tagline": mark("Derivatives, step by step"),
    "intro": mark(
        "Type a function of up to three variables and a point. The page shows how its derivatives come about: every "
        "operation and every product of the chain rule, the computation graph, gradient, Hessian and plots."
    ),
    "formula": mark("Function"),
    "formula_hint": mark("Signs: + − * / ^ ( ), functions such as sin, exp, log, sqrt, abs, and pi, e."),
    "point": mark("Point"),
    "point_hint": mark("A value for each variable, such as x=1, y=pi/2."),
    "order": mark("Steps up to order"),
    "submit": mark("Differentiate"),
    "examples": mark("Examples"),
    "language": mark("Language"),
    "skip": mark("Skip to the result"),
    "about": mark("Computed on this machine by apolar {version}. What is typed stays here."),
    # the answer
    "at_point": mark("at {point}"),
    "in_the_order": mark("Rows and columns in the order {names}."),
    "not_finite": mark("A dash stands for a derivative that is not finite at this point."),
    "singular": mark(
        "At this point a part of the function has a kink, a jump, an infinite slope or the edge of its domain, so that "
        "derivatives may not exist. Where a number is shown, it follows the convention of PyTorch, such as slope 0 for "
        "abs at 0."
    ),
    "minimum": mark("The gradient is 0 up to rounding and the Hessian is positive definite: a local minimum."),
    "maximum": mark("The gradient is 0 up to rounding and the Hessian is negative definite: a local maximum."),
    "saddle": mark("The gradient is 0 up to rounding and the Hessian has eigenvalues of both signs: a saddle point."),
    "degenerate": mark("The gradient is 0 up to rounding, and the second derivatives do not decide its kind."),
    "lower_order": mark("The steps of order {order} cannot be shown at this point; these are those of order 1."),
    "no_steps": mark("The steps cannot be shown at this point."),
    # plots
    "plots": mark("Plots"),
    "plot": mark("Plot"),
    "zoom_in": mark("Zoom in"),
    "zoom_out": mark("Zoom out"),
    "curve": mark("The function near the point, with its tangent and its Taylor approximation of second order."),
    "curve_alone": mark("The function near the point."),
    "cut": mark("Along {name} through the point, with {others}."),
    "contours": mark(
        "Lines of equal value. The thick one passes through the point; the arrow is the direction of the gradient, which "
        "is perpendicular to it. The slope in this direction is {slope}."
    ),
    "contours_stationary": mark(
        "Lines of equal value. At the point the gradient is 0, so that no direction leads up or down at first order."
    ),
    "contours_without": mark("Lines of equal value. At the point the gradient does not exist or is not finite."),
    "function": mark("function"),
    "tangent": mark("tangent"),
    "taylor": mark("Taylor, order 2"),
    # refusals
    "no_formula": mark("Type a function, such as cos(x^2)."),
    "unreadable_formula": mark("This function cannot be read."),
    "vector": mark("The page takes one function, not several separated by commas."),
    "no_variable": mark("There is no variable in this, so there is nothing to differentiate."),
    "many_variables": mark("The function has the variables {names}; the page takes at most {most}."),
    "many_operations": mark("The function has {count} operations; the page takes at most {most}."),
    "long_text": mark("This has {count} characters; the page takes at most {most}."),
    "no_point": mark("Type the point, such as {example}."),
    "unreadable_point": mark("“{part}” is not a name and a value, such as {example}."),
    "unreadable_value": mark("The value of {name} cannot be read."),
    "unknown_name": mark("{name} does not occur in the function; its variables are {names}."),
    "repeated_name": mark("{name} is given twice."),
    "missing_name": mark("A value is missing for {names}. Type all of them, such as {example}."),
    "undefined": mark("The function has no finite real value at this point: {step} = {value}."),
    "too_long": mark("This took more than {seconds} seconds and was stopped. Try a shorter function or a lower order."),
    "busy": mark("The page is computing other requests. Try again in a few seconds."),
    "failed": mark("This could not be computed, because of a fault in the program. Its cause is in the terminal."),
    "not_found": mark("There is no such page."),
    "bad_request": mark("This request is not understood."),
    "home": mark("To the start"),
}


def text(name: str, lang: Language) -> str:
    """One text, in this language, with its placeholders."""
    return translate(TEXTS[name], "page", lang)


def texts(lang: Language) -> dict[str, str]:
    """All of them."""
    return {name: text(name, lang) for name in TEXTS}
