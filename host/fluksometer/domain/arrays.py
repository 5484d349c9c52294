"""Names for arrays of NumPy, in one place: whoever imports this pays for NumPy."""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint16]
Steps = npt.NDArray[np.int16]
