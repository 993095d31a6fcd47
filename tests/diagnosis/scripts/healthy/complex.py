import torch

z = torch.randn(3, dtype=torch.complex64, requires_grad=True)
(z.abs() ** 2).sum().backward()
torch.fft.fft(z).abs().sum().backward()
x = torch.randn(4, requires_grad=True)
y = torch.fft.rfft(x)
(y.real**2 + y.imag**2).sum().backward()
